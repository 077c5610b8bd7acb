# Completes the flags of the autotp commands, as each command's --help lists them, and else the names of files.
_autotp() {
  local word=${COMP_WORDS[COMP_CWORD]}
  COMPREPLY=()
  [[ $word == -* ]] || return 0
  local flags
  flags=$("$1" --help 2>/dev/null | grep -oE '^ +(--[a-z][a-z0-9-]*|-[a-z])\b' | tr -d ' ')
  mapfile -t COMPREPLY < <(compgen -W "$flags" -- "$word")
}
complete -o default -F _autotp autotp-compile autotp-run autotp-plan autotp-model
