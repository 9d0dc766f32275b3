// strtok() remembers one place for the whole program, so two threads cut up each other's text.
#include <cstring>
#include <thread>

int words(char* text) {
    int count = 0;
    for (char* word = std::strtok(text, " "); word != nullptr; word = std::strtok(nullptr, " "))
        ++count;
    return count;
}

int main() {
    char one[] = "one two three", two[] = "four five six";
    int found = 0;
    std::thread other([&] { found = words(one); });
    words(two);
    other.join();
}
