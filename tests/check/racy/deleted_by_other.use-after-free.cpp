#include <thread>
struct job {
    int value = 1;
};
job* current = new job;
int main() {
    std::thread user([] {
        if (current->value == 1) current->value = 2;
    });
    std::thread owner([] { delete current; });
    user.join();
    owner.join();
}
