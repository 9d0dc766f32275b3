#include <threads.h>
static int counter = 0;
static int work(void*) {
    return ++counter;
}
int main() {
    thrd_t a, b;
    thrd_create(&a, work, nullptr);
    thrd_create(&b, work, nullptr);
    thrd_join(a, nullptr);
    thrd_join(b, nullptr);
}
