# bash completion for heddle
_heddle() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W "check replay explain --help --version --color" -- "$word")
        return
    fi
    case $before in
    --strategy)
        mapfile -t COMPREPLY < <(compgen -W "mix random-walk pct pos hold in-order reversed" -- "$word")
        return ;;
    --color)
        mapfile -t COMPREPLY < <(compgen -W "auto always never" -- "$word")
        return ;;
    --schedules | --time | --seed) return ;;
    esac
    local options="--help --color"
    case ${COMP_WORDS[1]} in
    check) options+=" --schedules --time --seed --strategy --out --json --html --sarif --" ;;
    replay) options+=" --gdb" ;;
    explain) options+=" --json --html --sarif --trace" ;;
    esac
    if [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
    else
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    fi
}
complete -o filenames -F _heddle heddle
