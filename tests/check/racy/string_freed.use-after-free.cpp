#include <cstdlib>
#include <thread>
char* name = static_cast<char*>(std::calloc(16, 1));
int main() {
    std::thread a([] { name[0] = 'a'; });
    std::free(name);
    a.join();
}
