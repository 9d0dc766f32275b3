# Draws the curves for run.py --svg. `files`, separated by blanks, have a block for each library:
# its name, then lines of size, median and minimum; `blocks` says how many. `titles` and `labels` (of
# the x axis) go with them, separated by "|"; `out` is the picture, `about` goes on top.
set terminal svg size 960,760 noenhanced font "sans-serif,12" background "white"
set output out
set multiplot layout 3,2 title about
set logscale xy
set grid
set key top right autotitle columnheader
set format y "%g"
set rmargin 4
array colours[3] = ["#2563eb", "#9ca3af", "#f59e0b"]
# The i-th of a list; strings have no such function of their own for "|".
split(list, i) = (i == 1) ? list[1:(cut(list) - 1)] : split(list[(cut(list) + 1):], i - 1)
cut(list) = strstrt(list, "|") > 0 ? strstrt(list, "|") : strlen(list) + 1
do for [i = 1:words(files)] {
    set title split(titles, i)
    set xlabel split(labels, i)
    file = word(files, i)
    plot for [k = 0:(word(blocks, i) - 1)] file index k using 1:2 \
        with linespoints linewidth 2 pointtype 7 pointsize 0.5 linecolor rgb colours[k + 1]
}
unset multiplot
