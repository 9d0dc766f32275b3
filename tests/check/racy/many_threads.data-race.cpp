#include <thread>
#include <vector>
int sum = 0;
int main() {
    std::vector<std::thread> all;
    for (int i = 0; i < 8; ++i) all.emplace_back([i] { sum += i; });
    for (auto& t : all) t.join();
}
