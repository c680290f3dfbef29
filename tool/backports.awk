# The first stanza of a deb822 sources file that serves release `r`, as a source of its backports. Comments go.
# usage: awk -v RS= -v r=bookworm -f tool/backports.awk
{
  found = 0; text = ""
  n = split($0, line, "\n")
  for (i = 1; i <= n; i++) {
    if (line[i] ~ /^#/) continue
    if (line[i] ~ /^Suites:/) {
      m = split(line[i], suite, /[ \t]+/)
      for (k = 2; k <= m; k++) if (suite[k] == r) found = 1
      line[i] = "Suites: " r "-backports"
    }
    if (line[i] ~ /^Components:/) line[i] = "Components: main"
    text = text line[i] "\n"
  }
  if (found && text ~ /Types: deb(\n| )/) { printf "%s", text; exit }
}
