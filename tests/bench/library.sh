#!/bin/bash
# library.sh - how long searches and tag folders take in a vault of a million tagged files. By hand: it takes some ten minutes
# and 1.5 GB.
#
# Usage: library.sh DIRECTORY [FILES] [TAGS] [TAGS A FILE]. Works below DIRECTORY; a vault that is there already is used again.
set -uo pipefail
export LC_ALL=C

top=$(cd "$(dirname "$0")/../.." && pwd)
directory=${1:?a directory to work in}
files=${2:-1000000} tags=${3:-5000} each=${4:-10}
vaultfs=${VAULTFS:-$top/build/release/bin/vaultfs}
make_library=$top/build/release/tests/bench/make_library
vault=$directory/library-$files-$tags-$each.vault
mount=$directory/library.mnt

[[ -d $vault ]] || "$make_library" "$vault" "$files" "$tags" "$each" || exit 1
mkdir -p "$mount"
trap '"$vaultfs" umount "$mount" && rmdir "$mount"' EXIT
"$vaultfs" mount -o index=no "$vault" "$mount" || exit 1

# The first of three runs, and the best of them, in milliseconds of the whole command.
measure() {
  local what=$1 first='' best='' start took rows
  shift
  for _ in 1 2 3; do
    start=$(date +%s%N)
    rows=$("$@" | wc -l)
    took=$((($(date +%s%N) - start) / 100000))
    [[ -n $first ]] || first=$took
    [[ -n $best ]] && ((best <= took)) || best=$took
  done
  printf '%-44s %9d %8d.%d %8d.%d\n' "$what" "$rows" $((first / 10)) $((first % 10)) $((best / 10)) $((best % 10))
}

start=$(date +%s)
"$vaultfs" find --limit 1 "$mount" holiday >/dev/null
echo "search.db follows: $(($(date +%s) - start)) s"
printf '%-44s %9s %10s %10s\n' "$files files, $tags tags, $each a file" lines "first, ms" "best, ms"
for query in tag:tag0 'tag:tag0 tag:tag7' 'tag:tag0 -tag:tag9 kind:image' holiday 'holiday tag:tag5' 'holiday or concert' 'holi*' \
  kind:video 'name:*00012*' 'date:2014-02' 'size:>10'; do
  measure "find, first 100: $query" "$vaultfs" find --limit 100 "$mount" "$query"
done
measure "ls .views/tags/tag0" ls -U "$mount/.views/tags/tag0"
measure "ls .views/tags/tag7" ls -U "$mount/.views/tags/tag7"
measure "ls .views/tags" ls -U "$mount/.views/tags"
measure "ls '.views/search/tag:tag0 holiday'" ls -U "$mount/.views/search/tag:tag0 holiday"
measure "vaultfs tags" "$vaultfs" tags "$mount"
