#!/bin/sh
# refused.sh CASE COMPILER [FLAG...]: passes if CASE does not compile, and if what the compiler says
# matches the extended regular expression in its first line, `// expect: REGEX`.
case=$1
shift
expected=$(sed -n '1s,^// expect: ,,p' "$case")
if [ -z "$expected" ]; then
    echo "$case:1: the first line must be '// expect: REGEX'"
    exit 1
fi
if said=$("$@" -std=c++20 -fsyntax-only "$case" 2>&1); then
    echo "$case compiles, but must be refused with: $expected"
    exit 1
fi
printf '%s\n' "$said"
if ! printf '%s\n' "$said" | grep -Eq -e "$expected"; then
    echo "$case is refused, but no line says: $expected"
    exit 1
fi
