#include <cassert>
#include <map>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <unordered_map>
std::mutex m;
std::map<std::string, int> words;
std::unordered_map<int, std::string> names;
int main() {
    auto work = [](int who) {
        std::ostringstream text;
        text << "thread number " << who << " with a text that is long";
        std::lock_guard l(m);
        ++words[text.str()];
        names[who] = text.str();
    };
    std::thread a(work, 1), b(work, 2);
    a.join();
    b.join();
    assert(words.size() == 2 && names.size() == 2);
}
