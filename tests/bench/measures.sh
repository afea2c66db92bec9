# measures.sh - what is measured: groups of steps. A step is called with a system and its root; it prints "FIGURE VALUE".
#
# Sourced by tests/bench/run, after systems.sh. The steps of a group run in their order, each on one system after the
# other before the next one begins; a group begins and ends with empty systems. STEPS_group names them, ONLY_group the
# systems where the group makes sense, PREPARE_group what it needs in DATA.

# shellcheck shell=bash disable=SC2034

io() { timeout -k 10 3600 "${PIN[@]}" "$BIN/bench_io" "$@"; }

# figure NAME KEY MODE ARGUMENTS...: run bench_io, print the value of KEY as NAME. Pairs may be joined: NAME,NAME KEY,KEY.
figure() {
  local names=$1 keys=$2 out
  shift 2
  out=$(io "$@") || return 1
  awk -v names="$names" -v keys="$keys" '
    BEGIN { n = split(names, name, ","); split(keys, key, ",") }
    { for (i = 1; i <= n; i++) if ($1 == key[i]) print name[i], $2 }' <<<"$out"
}

seconds_of() { # COMMAND...: its wall time
  local begin=$EPOCHREALTIME
  "$@" >/dev/null || return 1
  awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.4f\n", b - a }'
}

divide() { awk -v a="$1" -v b="$2" 'BEGIN { if (b > 0) printf "%.5f\n", a / b }'; }

size_of() { find "$1" -type f -printf '%s\n' | awk '{ s += $1 } END { printf "%.0f\n", s }'; }

# ---- data, made once a run ----

TEXT_NAMES='*.[chly] *.[ch]pp *.cc *.hh *.py *.p[lm] *.pod *.txt *.htm *.html *.js *.rs *.go *.md *.rst *.xml *.sh
  copyright *.cmake *.vim *.tcl *.el *.po'

text_files() {
  local name
  local -a match=()
  set -f
  for name in $TEXT_NAMES; do match+=(-o -name "$name"); done
  set +f
  find /usr -xdev -type f -size -1024k -size +0 \( "${match[@]:1}" \) 2>/dev/null | LC_ALL=C sort
}

need_noise() { [[ -e $DATA/noise ]] || "$BIN/bench_data" noise "$DATA/noise" "${STREAM_MIB}m" 1; }

need_text() {
  [[ -e $DATA/text ]] && return
  text_files | "$BIN/bench_data" text "$DATA/text" "${STREAM_MIB}m" >"$WORK/text.facts" &&
    sed 's/^/text_/' "$WORK/text.facts" >>"$WORK/facts"
}

need_tree() {
  need_text || return 1
  [[ -e $DATA/tree.tar ]] && return
  "$BIN/bench_data" tree "$DATA/tree" "$TREE_FILES" 600 46000 "$DATA/text" &&
    tar -C "$DATA" -cf "$DATA/tree.tar" tree &&
    echo "tree_mb $(divide "$(size_of "$DATA/tree")" 1000000)" >>"$WORK/facts"
}

need_edits() {
  need_noise && need_tree || return 1
  [[ -e $DATA/noise.inserted ]] && return
  cp -a "$DATA/tree" "$DATA/tree.edited" &&
    find "$DATA/tree.edited" -type f | LC_ALL=C sort | "$BIN/bench_data" edit 9 >/dev/null &&
    "$BIN/bench_data" insert "$DATA/noise" "$DATA/noise.inserted" 10000 1k
}

# ---- stream ----

PREPARE_stream='need_noise need_text'
STEPS_stream='write_incompressible write_duplicate write_text read_cold read_text_cold randread_128k randread_4k'
# What is written comes from memory, or it would be the disk's reading that is measured.
in_memory() { sync && cat "$1" >/dev/null; }
step_write_incompressible() { in_memory "$DATA/noise" && figure write_incompressible mb_per_s write "$2/noise" "$DATA/noise"; }
step_write_duplicate() { in_memory "$DATA/noise" && figure write_duplicate mb_per_s write "$2/noise.again" "$DATA/noise"; }
step_write_text() { in_memory "$DATA/text" && figure write_text mb_per_s write "$2/text" "$DATA/text"; }
step_read_cold() {
  make_cold "$1" && figure read_cold mb_per_s read "$2/noise" && figure read_warm mb_per_s read "$2/noise"
}
step_read_text_cold() { make_cold "$1" && figure read_text_cold mb_per_s read "$2/text"; }
step_randread_128k() {
  make_cold "$1" &&
    figure randread_128k_p50,randread_128k_p99 p50_ms,p99_ms randread "$2/noise" 128k 1000 1
}
step_randread_4k() {
  make_cold "$1" && figure randread_4k_p50,randread_4k_p99 p50_ms,p99_ms randread "$2/noise" 4k 1000 2
}

# ---- small files ----

PREPARE_small=need_text
STEPS_small='small_create small_walk small_read small_delete'
SMALL=small # the figures' prefix
step_small_create() {
  sync && figure ${SMALL}_create per_s create "$2/small" "$SMALL_FILES" 1024 16384 3 "$DATA/text"
}
step_small_walk() { make_cold "$1" && figure ${SMALL}_walk_cold per_s walk "$2/small"; }
step_small_read() { make_cold "$1" && figure ${SMALL}_read_cold per_s readall "$2/small"; }
step_small_delete() { figure ${SMALL}_delete per_s delete "$2/small"; }

PREPARE_pinned=need_text
STEPS_pinned=$STEPS_small
begin_pinned() { PIN=(taskset -c 0) SMALL=pinned; }
end_pinned() { PIN=() SMALL=small; }

# ---- a source tree ----

PREPARE_untar=need_tree
STEPS_untar=untar
step_untar() {
  cat "$DATA/tree.tar" >/dev/null && sync && echo "untar $(seconds_of tar -C "$2" -xf "$DATA/tree.tar")"
}

# ---- small changes ----

PREPARE_overwrite=need_noise
STEPS_overwrite='overwrite append'
pack_sizes() { find "$WORK/vaultfs.vault/packs" -type f -printf '%f %s\n' | sort; }

# By how much packs grew, those that are new included; one that was unlinked meanwhile does not count against it.
packs_grown() {
  awk 'NR == FNR { old[$1] = $2; next } $2 > old[$1] { s += $2 - old[$1] } END { printf "%.0f\n", s }' "$1" "$2"
}

step_overwrite() {
  head -c 256M "$DATA/noise" >"$WORK/part" && io write "$2/file" "$WORK/part" >/dev/null && sync || return 1
  [[ $1 != vaultfs ]] || pack_sizes >"$WORK/packs.before"
  figure overwrite_4k per_s overwrite "$2/file" "$OVERWRITES" 100 4 || return 1
  [[ $1 == vaultfs ]] || return 0
  pack_sizes >"$WORK/packs.after"
  echo "pack_bytes_per_overwrite $(divide "$(packs_grown "$WORK/packs.before" "$WORK/packs.after")" "$OVERWRITES")"
}
step_append() { sync && figure append_fsync per_s append "$2/log" "$APPENDS" 5; }

# ---- beside a writer ----

PREPARE_latency=need_text
STEPS_latency=latency
step_latency() {
  mkdir "$2/busy" && io create "$2/names" 20000 0 0 1 "$DATA/text" >/dev/null && make_cold "$1" &&
    figure busy_fsync_p99,busy_create_longest,busy_lookup_p99,busy_writer \
      fsync_p99_ms,create_max_ms,lookup_p99_ms,writer_mb_per_s \
      latency "$2/busy" "$LATENCY_SECONDS" "$2/names" 20000
}

# ---- stored bytes ----

PREPARE_stored=need_edits
STEPS_stored='stored_tree stored_text stored_inserted'
ONLY_stored=vaultfs

# What a copy adds to the packs, everything written and unmounted; it is mounted again on return.
packs_added_by() {
  local before
  before=$(vaultfs_unmount && vaultfs_pack_bytes) && vaultfs_mount && cp -a "$1" "$2" && vaultfs_unmount || return 1
  echo $(($(vaultfs_pack_bytes) - before))
  vaultfs_mount
}

step_stored_tree() {
  local first second
  first=$(packs_added_by "$DATA/tree" "$2/tree") && second=$(packs_added_by "$DATA/tree.edited" "$2/tree.edited") &&
    echo "stored_tree $(divide "$first" "$(size_of "$DATA/tree")")" &&
    echo "stored_edited_tree $(divide "$second" "$first")"
}

# The tree is made of pieces of the text: it goes first, and the text into a vault of its own.
step_stored_text() {
  local added
  end_system vaultfs && start_system vaultfs && added=$(packs_added_by "$DATA/text" "$2/text") &&
    echo "stored_text $(divide "$added" "$(size_of "$DATA/text")")"
}

step_stored_inserted() {
  local added
  cp "$DATA/noise" "$2/noise" && added=$(packs_added_by "$DATA/noise.inserted" "$2/noise.inserted") &&
    echo "stored_inserted $(divide "$added" "$(size_of "$DATA/noise")")"
}

# ---- copies and holes ----

PREPARE_copy=need_noise
STEPS_copy=copy
ONLY_copy=vaultfs
step_copy() {
  local before
  io write "$2/noise" "$DATA/noise" >/dev/null && before=$(vaultfs_stat chunks) &&
    figure copy_10g seconds copyrange "$2/noise" "$2/ten" 10g &&
    echo "copy_10g_new_chunks $(($(vaultfs_stat chunks) - before))"
}

STEPS_sparse=sparse
step_sparse() { figure truncate_1t seconds sparse "$2/sparse" 1t 1000; }

# ---- a million files ----

PREPARE_million=need_text
STEPS_million='million million_empty'
ONLY_million=vaultfs
database_bytes_a_file() {
  vaultfs_unmount && divide "$(stat -c %s "$WORK/vaultfs.vault/vault.db")" "$1"
}
step_million() {
  local per_file took
  figure million_create per_s create "$2/million" "$MILLION" 32 256 6 "$DATA/text" &&
    per_file=$(database_bytes_a_file "$MILLION") && echo "million_db_bytes_a_file $per_file" &&
    drop_caches && took=$(seconds_of vaultfs_mount) && echo "million_mount $took" &&
    figure million_delete per_s delete "$2/million" &&
    echo "million_peak $(divide "$(vaultfs_note_peak)" 1024)"
}
step_million_empty() {
  local per_file
  end_system vaultfs && start_system vaultfs &&
    io create "$2/empty" $((MILLION / 10)) 0 0 7 "$DATA/text" >/dev/null &&
    per_file=$(database_bytes_a_file $((MILLION / 10))) && echo "million_empty_db_bytes_a_file $per_file" &&
    vaultfs_mount
}
