// Lesson: the same race with threads made by hand or by a pool, and with a delay to widen the gap.
//
//   race_threads [-n THREADS] [-t loop|pool] [-d]
//
// Thread k adds k, 2k and 3k to the counter, so one thread ends at 6, two at 18, three at 36.
//
// What to notice: with one thread, always right. With more, right or wrong, as it happens; run it
// a few times. With more and -d, always wrong: a delay between reading and writing makes sure that
// every thread has read before any has written, and they write in turn, so that only the last
// addition of each step is left. The counter is atomic, which keeps the program within the rules of
// C++ and changes nothing: it is the gap between the two steps that is open.
#include <heddle/barrier.hpp>
#include <heddle/print.hpp>
#include <heddle/thread.hpp>
#include <heddle/thread_pool.hpp>

#include <getopt.h>
#include <pthread.h>

#include <array>
#include <atomic>
#include <charconv>
#include <cstdio>
#include <ranges>
#include <string>
#include <string_view>
#include <vector>

constexpr const char* help = R"(usage: race_threads [-n N] [-t loop|pool] [-d]

  -n, --threads_number N       number of threads, 1 to 100 (default: 1)
  -t, --simulation_type TYPE   how threads are run: loop or pool (default: pool)
  -d, --simulate_delay         delay each write until all threads have read
  -h, --help                   show this text
)";

std::atomic<int> counter = 0;

std::string thread_name() {
    std::array<char, 16> name{};
    pthread_getname_np(pthread_self(), name.data(), name.size());
    return name.data();
}

class race {
public:
    race(int threads, bool delay) : threads_(threads), delay_(delay), all_(threads) {}

    /// What thread number `k` does, from 1.
    void change_counter(int k) {
        for (int i = 1; i <= 3; ++i) {
            int local_counter = counter;
            local_counter += i * k;
            if (delay_) wait_for_turn(k);
            counter = local_counter;
            heddle::print("counter =", local_counter, "(" + thread_name() + ")");
            if (delay_) end_turn();
        }
    }

private:
    void wait_for_turn(int k) {
        all_.wait(); // everybody has read
        for (int now = turn_; now != k; now = turn_) turn_.wait(now);
    }
    void end_turn() {
        turn_ = turn_ % threads_ + 1;
        turn_.notify_all();
        all_.wait(); // everybody has written
    }

    const int threads_;
    const bool delay_;
    heddle::barrier all_;
    std::atomic<int> turn_ = 1;
};

void in_loop(race& r, int threads) {
    std::vector<heddle::thread<void>> running;
    for (int k = 1; k <= threads; ++k) {
        running.emplace_back(heddle::thread_options{.name = "Thread " + std::to_string(k)},
                             &race::change_counter,
                             &r,
                             k);
    }
    for (auto& thread : running) thread.join();
}

void in_pool(race& r, int threads) {
    heddle::thread_pool pool({.max_workers = threads, .name = "pool"});
    auto change_counter = [&r](int k) { r.change_counter(k); };
    pool.map({.chunk_size = 1}, change_counter, std::views::iota(1, threads + 1)).collect();
}

/// Says what is wrong with the command line, and where to look.
int refuse(const std::string& what) {
    std::fprintf(stderr, "race_threads: %s (see --help)\n", what.c_str());
    return 2;
}

/// Reads a number from 1 to 100; 0 if `text` is none.
int number_of_threads(std::string_view text) {
    int n = 0;
    const auto [end, error] = std::from_chars(text.begin(), text.end(), n);
    return error == std::errc() && end == text.end() && n >= 1 && n <= 100 ? n : 0;
}

int main(int argc, char** argv) {
    int threads = 1;
    std::string type = "pool";
    bool delay = false;
    constexpr option options[] = {{"threads_number", required_argument, nullptr, 'n'},
                                  {"simulation_type", required_argument, nullptr, 't'},
                                  {"simulate_delay", no_argument, nullptr, 'd'},
                                  {"help", no_argument, nullptr, 'h'},
                                  {nullptr, 0, nullptr, 0}};
    opterr = 0;
    for (int given; (given = getopt_long(argc, argv, ":n:t:dh", options, nullptr)) != -1;) {
        switch (given) {
        case 'n':
            threads = number_of_threads(optarg);
            if (threads == 0)
                return refuse("-n must be 1 to 100, not '" + std::string(optarg) + "'");
            break;
        case 't': type = optarg; break;
        case 'd': delay = true; break;
        case 'h': std::fputs(help, stdout); return 0;
        case ':': return refuse(std::string(argv[optind - 1]) + " needs a value");
        default:
            return refuse("unknown option " + (optopt != 0 ? std::string{'-', char(optopt)}
                                                           : std::string(argv[optind - 1])));
        }
    }
    if (optind < argc) return refuse("unexpected argument '" + std::string(argv[optind]) + "'");
    if (type != "loop" && type != "pool") {
        return refuse("-t must be loop or pool, not '" + type + "'");
    }

    race r(threads, delay);
    type == "pool" ? in_pool(r, threads) : in_loop(r, threads);
    const int right = 6 * threads * (threads + 1) / 2;
    heddle::print("threads:", threads, "counter:", counter.load(), "should be:", right);
}
