// An optimising compiler reads the flag once and jumps to itself for ever: no access follows.
#include <thread>
bool ready = false;
int main() {
    std::thread setter([] { ready = true; });
    while (!ready) {
    }
    setter.join();
}
