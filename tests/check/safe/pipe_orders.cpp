// What goes through a pipe, a pair of sockets or an event counter comes after what was before it.
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cassert>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

struct message {
    int id;
    const std::string* text;
};

int main() {
    int channel[2], answers[2];
    assert(pipe(channel) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, answers) == 0);
    const int finished = eventfd(0, 0);
    std::string result;
    std::thread worker([&] {
        message got{};
        while (read(channel[0], &got, sizeof got) == sizeof got) {
            const int length = static_cast<int>(got.text->size());
            assert(send(answers[1], &length, sizeof length, 0) == sizeof length);
        }
        result = "done";
        const std::uint64_t one = 1;
        assert(write(finished, &one, sizeof one) == sizeof one);
    });
    std::vector<std::string> texts = {"a", "bcd"};
    for (int i = 0; i < 2; ++i) {
        const message out{i, &texts[static_cast<std::size_t>(i)]};
        assert(write(channel[1], &out, sizeof out) == sizeof out);
        int length = 0;
        iovec part{&length, sizeof length};
        assert(readv(answers[0], &part, 1) == sizeof length);
        assert(length == static_cast<int>(out.text->size()));
    }
    close(channel[1]);
    std::uint64_t count = 0;
    assert(read(finished, &count, sizeof count) == sizeof count && result == "done");
    worker.join();
}
