// -std=c++17
// Strings, lists and trees, of which libstdc++.so does the most: read by all, changed under a lock
// or by their only owner.
#include <list>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>

const std::string base = "a text that all read and nobody changes";
const std::set<std::string> words{"x", "y", "z"};
std::mutex m;
std::string log_text;
std::map<std::string, int> counts;
std::list<std::string> lines;

void work(char mark) {
    std::string mine = base;
    mine += mark;
    mine.insert(0, "<").erase(0, 1).resize(20);
    std::string other(std::move(mine));
    other.swap(mine);
    mine = other + base.substr(3, 5);
    for (char& c : mine) c = mark;
    std::size_t length = base.find("text") + words.count("y");
    for (const auto& word : words) length += word.size();
    std::lock_guard lock(m);
    log_text += mine;
    log_text.append(length, '.').replace(0, 1, "-");
    ++counts[mine];
    counts.erase("none");
    lines.push_front(mine);
    lines.splice(lines.end(), lines, lines.begin());
    lines.reverse();
}

int main() {
    std::thread a(work, 'a'), b(work, 'b');
    a.join();
    b.join();
    return lines.size() == 2 && counts.size() == 2 ? 0 : 1;
}
