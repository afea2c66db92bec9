# Bash completion for vaultfs(1).

# Directories, or any path, as the shell would complete them.
_vaultfs_paths() {
	compopt -o filenames 2>/dev/null
	mapfile -t COMPREPLY < <(compgen "-${1}" -- "$cur")
}

_vaultfs_words() {
	mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
}

_vaultfs() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]}
	local commands='init mount umount sync stats ls info find save dups similar tag tags import export add locations index jobs check rebuild version help'
	local terms='tag: kind: type: ext: name: note: in: person: date: modified: added: seen: size: length: width: height:'
	local options=
	terms+=' rating: quality: sha256: favorite hidden seen unseen untagged'
	COMPREPLY=()

	if ((COMP_CWORD == 1)); then
		_vaultfs_words "$commands --help --version"
		return
	fi
	case $command in
	init) options='--chunk-size --pack-size' ;;
	mount) options='--foreground --read-only -d -s -o' ;;
	umount) options='--lazy --timeout' ;;
	stats | info | dups) options='--json' ;;
	similar) options='--limit --json' ;;
	ls) options='--long --recursive --json' ;;
	save) options='--remove --rename --json' ;;
	find) options='--null --json --sort --reverse --limit --page --saved' ;;
	tag) options='--json --import-finder' ;;
	tags) options='--flat --unused --json --used' ;;
	import) options='--into --update --one-file-system --quiet' ;;
	export) options='--update --quiet' ;;
	add) options='--into --mode --watch --no-wait --quiet' ;;
	locations) options='--pause --resume --remove --json' ;;
	index) options='--all --types --no-previews --quiet' ;;
	jobs) options='--failed --json --retry' ;;
	check) options='--deep --json --quiet' ;;
	rebuild) options='--force' ;;
	esac

	case $command:$prev in
	init:--chunk-size | init:-c) _vaultfs_words '16K 32K 64K 128K 256K 512K' && return ;;
	init:--pack-size | init:-p) _vaultfs_words '16M 64M 256M 1G' && return ;;
	mount:-o) _vaultfs_words 'ro rw allow_other commit= cache= uid= gid= fsname= writeback noacl inherit=no seen=no index=no index=types previews=no views=shown views=no nonempty readahead= threads= debug nowriteback acl' && return ;;
	find:--sort | find:-s) _vaultfs_words 'added date size name quality rating' && return ;;
	find::) [[ ${COMP_WORDS[COMP_CWORD - 2]} == kind ]] && _vaultfs_words 'image video audio text document archive other'
		return ;;
	find:--limit | find:-n | find:--page | find:-p | find:--saved | find:-S) return ;;
	add:--mode | add:-m) _vaultfs_words 'metadata content deep' && return ;;
	locations:--pause | locations:--resume | locations:--remove | add:--into | add:-i) return ;;
	similar:--limit | similar:-n) return ;;
	umount:--timeout | umount:-t | import:--into | import:-i) return ;;
	esac

	if [[ $cur == -* ]]; then
		_vaultfs_words "$options --help"
		return
	fi
	case $command in
	help) _vaultfs_words "$commands" ;;
	find | save)
		_vaultfs_paths d
		mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "$terms" -- "$cur")
		compopt -o nospace 2>/dev/null
		;;
	tag) if ((COMP_CWORD == 2)); then _vaultfs_words 'add rm set ls --import-finder'; else _vaultfs_paths f; fi ;;
	tags)
		_vaultfs_paths d
		((COMP_CWORD > 2)) || mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W 'make rename remove color icon alias unalias imply unimply' -- "$cur")
		;;
	info | index | similar) _vaultfs_paths f ;;
	version) ;;
	*) _vaultfs_paths d ;;
	esac
}

complete -F _vaultfs vaultfs
