# Draws the bars for run.py --svg: `data` has a name and three figures a line (Heddle, the best
# peer, the naive pool), `out` is the file, `about` goes under the title.
set terminal svg size 960,560 enhanced font "sans-serif,13" background "white"
set output out
set title "Time per item, nanoseconds (log scale; shorter is better)\n{/*0.8 ".about."}"
set style data histograms
set style histogram clustered gap 1
set style fill solid border -1
set boxwidth 0.9
set logscale y
set grid ytics
set xtics rotate by -30 noenhanced
set key top right horizontal
set rmargin 8
set yrange [1:200000]
plot data using 2:xtic(1) title "Heddle" linecolor rgb "#2563eb", \
     data using 3 title "best peer" linecolor rgb "#f59e0b", \
     data using 4 title "naive pool" linecolor rgb "#9ca3af"
