# SPDX-License-Identifier: Apache-2.0
# Completion of the pith command for bash.  The words come from pith itself,
# so they are always those of the installed version.

_pith_option_value()
{
	case $1 in
	--machine) COMPREPLY=($(compgen -W "microvm q35 pc" -- "$2")) ;;
	--accel) COMPREPLY=($(compgen -W "auto kvm tcg" -- "$2")) ;;
	--net) COMPREPLY=($(compgen -W "user none tap=" -- "$2")) ;;
	--ip) COMPREPLY=($(compgen -W "dhcp none" -- "$2")) ;;
	--klib) COMPREPLY=($(compgen -W "$("${COMP_WORDS[0]}" --list klibs \
		2>/dev/null)" -- "$2")) ;;
	--root-mode) COMPREPLY=($(compgen -W "overlay ro rw" -- "$2")) ;;
	-r | --root) COMPREPLY=($(compgen -d -- "$2")) ;;
	-i | --include | -o | --output | --config | --env-file | --trace-file | --profile-file | --pcap | --vsock-path)
		COMPREPLY=($(compgen -f -- "$2")) ;;
	-v | --volume)
		COMPREPLY=($(compgen -S : -W "$("${COMP_WORDS[0]}" volume ls \
			2>/dev/null | cut -d' ' -f1)" -- "$2")
			$(compgen -d -- "$2")) ;;
	-e | --env) COMPREPLY=($(compgen -v -- "$2")) ;;
	*) return 1 ;;
	esac
}

_pith()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
	local command=${COMP_WORDS[1]}

	COMPREPLY=()
	compopt -o filenames 2>/dev/null
	if [ "$COMP_CWORD" -eq 1 ]; then
		COMPREPLY=($(compgen -W "$("${COMP_WORDS[0]}" --list) --help
			--version" -- "$cur"))
		return
	fi
	case $command in
	run | build)
		_pith_option_value "$prev" "$cur" && return
		if [[ $cur == -* ]]; then
			COMPREPLY=($(compgen -W "$("${COMP_WORDS[0]}" --list \
				"$command")" -- "$cur"))
		else
			COMPREPLY=($(compgen -c -- "$cur")
				$(compgen -f -- "$cur"))
		fi ;;
	volume)
		if [ "$COMP_CWORD" -eq 2 ]; then
			COMPREPLY=($(compgen -W "create ls rm check grow cp
				--help" -- "$cur"))
		else
			COMPREPLY=($(compgen -W "$("${COMP_WORDS[0]}" volume \
				ls 2>/dev/null | cut -d' ' -f1)" -- "$cur")
				$(compgen -f -- "$cur"))
		fi ;;
	cache) COMPREPLY=($(compgen -W "ls size clear --help" -- "$cur")) ;;
	*) COMPREPLY=($(compgen -f -W "--help" -- "$cur")) ;;
	esac
}
complete -F _pith pith
