/// A library of one function, built twice with another answer.
extern "C" int answer() {
    return HEDDLE_TEST_ANSWER;
}
