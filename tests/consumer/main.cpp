/// The program that each project beside it builds: it must compile, link with the library and run.
#include <heddle/heddle.hpp>

#include <cstdio>

int main() {
    const bool started = heddle::detail::now_ns() > 0;
    try {
        throw heddle::timeout_error();
    } catch (const heddle::error& e) {
        std::printf("heddle %d.%d: %s\n", HEDDLE_VERSION_MAJOR, HEDDLE_VERSION_MINOR, e.what());
    }
#ifdef CONSUMER_USES_HTTP
    const heddle::http::session session; // brings in libcurl
#endif
    return started ? 0 : 1;
}
