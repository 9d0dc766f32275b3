#include <heddle/heddle.hpp>

#include <cstdio>

int main() {
    std::printf("heddle %d.%d\n", HEDDLE_VERSION_MAJOR, HEDDLE_VERSION_MINOR);
}
