// Server and client: each waits for the other to speak first.
#include <unistd.h>

#include <thread>

int questions[2], answers[2];

bool one_byte(int from) {
    char byte = 0;
    return read(from, &byte, 1) == 1;
}

int main() {
    if (pipe(questions) != 0 || pipe(answers) != 0) return 2;
    std::thread server([] { return one_byte(questions[0]) && write(answers[1], "a", 1) == 1; });
    std::thread client([] { return one_byte(answers[0]) && write(questions[1], "q", 1) == 1; });
    server.join();
    client.join();
}
