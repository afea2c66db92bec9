# report.awk - medians, ratios and verdicts: a table, or with json=1 a JSON object.
#
# Input: facts ("NAME VALUE"), figures, then results ("FIGURE SYSTEM VALUE", one line a round). -v systems="ext4 ...".
# POSIX awk, as Debian's mawk is.

function median(figure, which,    n, i, j, v, a) {
  n = split(values[figure, which], a, " ")
  if (n == 0) return ""
  for (i = 2; i <= n; i++) {
    v = a[i] + 0
    for (j = i - 1; j >= 1 && a[j] + 0 > v; j--) a[j + 1] = a[j]
    a[j + 1] = v
  }
  return n % 2 ? a[(n + 1) / 2] + 0 : (a[n / 2] + a[n / 2 + 1]) / 2
}

function show(v) {
  if (v == "") return "-"
  if (v >= 1000) return sprintf("%.0f", v)
  if (v >= 100) return sprintf("%.1f", v)
  if (v >= 1 || v == 0) return sprintf("%.2f", v)
  return sprintf("%.4f", v)
}

function ratio(a, b) { return a == "" || b == "" || b == 0 ? "" : a / b }

# "ok", "short", or "" when a figure is missing.
function verdict(figure, targets, v,    n, i, a, part, bound, other) {
  n = split(targets, a, ",")
  if (n == 0 || v == "") return ""
  for (i = 1; i <= n; i++) {
    bound = substr(a[i], 3)
    if (split(bound, part, "*") == 2) {
      other = median(figure, part[2])
      if (other == "") return ""
      bound = part[1] * other
    }
    if (substr(a[i], 1, 2) == ">=" ? v < bound + 0 : v > bound + 0) return "short"
  }
  return "ok"
}

function string(s) { gsub(/\\/, "\\\\", s); gsub(/"/, "\\\"", s); return "\"" s "\"" }
function number(v) { return v == "" ? "null" : sprintf("%.6g", v) }

FILENAME ~ /\/facts$/ { facts[++n_facts] = $1; key = $1; sub(/^[^ ]+ /, ""); fact[key] = $0; next }
FILENAME ~ /\/figures$/ {
  if ($0 ~ /^#/) next
  split($0, f, "|")
  names[++n_names] = f[2]; unit[f[2]] = f[3]; target[f[2]] = f[4]
  next
}
{ values[$1, $2] = values[$1, $2] " " $3; have[$1] = 1 }

function table(    i, s, m, name, line) {
  for (i = 1; i <= n_facts; i++) printf "%s: %s\n", facts[i], fact[facts[i]]
  line = sprintf("%-30s", "figure")
  for (s = 1; s <= n_systems; s++) line = line sprintf(" %10s", system_name[s])
  print line sprintf("  %-12s %7s %7s  %-28s", "unit", "/ext4", "/bindfs", "target")
  for (i = 1; i <= n_names; i++) {
    name = names[i]
    if (!(name in have)) continue
    line = sprintf("%-30s", name)
    for (s = 1; s <= n_systems; s++) line = line sprintf(" %10s", show(median(name, system_name[s])))
    m = median(name, "vaultfs")
    print line sprintf("  %-12s %7s %7s  %-28s %s", unit[name], show(ratio(m, median(name, "ext4"))),
                       show(ratio(m, median(name, "bindfs"))), target[name], verdict(name, target[name], m))
  }
}

function as_json(    i, s, m, name, comma, runs) {
  print "{"
  for (i = 1; i <= n_facts; i++) printf "  %s: %s,\n", string(facts[i]), string(fact[facts[i]])
  print "  \"figures\": ["
  for (i = 1; i <= n_names; i++) {
    name = names[i]
    if (!(name in have)) continue
    if (comma) print ","
    comma = 1
    printf "    { \"name\": %s, \"unit\": %s, \"systems\": {", string(name), string(unit[name])
    for (s = 1; s <= n_systems; s++) {
      runs = values[name, system_name[s]]
      gsub(/^ +/, "", runs); gsub(/ +/, ", ", runs)
      printf "%s %s: { \"median\": %s, \"runs\": [%s] }", (s > 1 ? "," : ""), string(system_name[s]),
             number(median(name, system_name[s])), runs
    }
    m = median(name, "vaultfs")
    printf " }, \"ratio_ext4\": %s, \"ratio_bindfs\": %s, \"target\": %s, \"verdict\": %s }",
           number(ratio(m, median(name, "ext4"))), number(ratio(m, median(name, "bindfs"))), string(target[name]),
           string(verdict(name, target[name], m))
  }
  print "\n  ]\n}"
}

END {
  n_systems = split(systems, system_name, " ")
  if (json) as_json(); else table()
}
