"""The report's style sheet: one column, system type, light and dark."""

CSS = """
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #ffffff; --ink: #1b1f24; --muted: #5b6570; --grid: #d5dae0;
  --bp: #0072b2; --auglocal: #c25400; --good: #0a7a55; --bad: #b3261e;
  --good-soft: #e3f4ec; --bad-soft: #fbe6e4;
  --font: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171b; --card: #1d2127; --ink: #e8ebee; --muted: #a2acb7; --grid: #3a424b;
    --bp: #56b4e9; --auglocal: #f0a030; --good: #5fd3a6; --bad: #ff8a80;
    --good-soft: #17352a; --bad-soft: #43201d;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 17px/1.55 var(--font);
}
main { max-width: 1000px; margin: 0 auto; padding: 40px 24px 64px; }
h1 { font-size: clamp(1.75rem, 4.5vw, 2.5rem); line-height: 1.15; letter-spacing: -.02em;
  margin: 0 0 .4em; text-wrap: balance; }
h2 { font-size: 1.35rem; line-height: 1.25; letter-spacing: -.01em; margin: 0 0 .35em; }
h3 { font-size: 1rem; margin: 1.6em 0 .5em; }
p { margin: 0 0 .9em; max-width: 68ch; }
section > :last-child { margin-bottom: 0; }
.lead { font-size: 1.15rem; }
.muted, figcaption, .note { color: var(--muted); }
.note { font-size: .9rem; }
code { font: .88em/1.4 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
  overflow-wrap: anywhere; }
b.bp, td.bp, th.bp { color: var(--bp); }
b.auglocal, td.auglocal, th.auglocal { color: var(--auglocal); }
section { background: var(--card); border: 1px solid var(--grid); border-radius: 14px;
  padding: 26px 28px; margin-top: 22px; }
.verdicts { list-style: none; margin: 22px 0 0; padding: 0; display: grid; gap: 10px;
  grid-template-columns: repeat(auto-fit, minmax(260px, 1fr)); }
.verdicts li { border-radius: 12px; padding: 14px 16px; font-size: .95rem; line-height: 1.4; }
.verdicts strong { display: block; }
.pass { background: var(--good-soft); }
.fail { background: var(--bad-soft); }
.pass .mark { color: var(--good); font-weight: 700; }
.fail .mark { color: var(--bad); font-weight: 700; }
.numbers { display: grid; gap: 22px 28px; margin: 6px 0 0; padding: 0;
  grid-template-columns: repeat(auto-fit, minmax(190px, 1fr)); }
.numbers dt { color: var(--muted); font-size: .9rem; }
.numbers dd { margin: 2px 0 0; font-variant-numeric: tabular-nums; }
.numbers .pair { display: flex; gap: 18px; }
.numbers .value { font-size: 1.55rem; font-weight: 650; letter-spacing: -.02em; line-height: 1.2; }
.numbers .who { display: block; font-size: .82rem; color: var(--muted); }
.value.bp { color: var(--bp); } .value.auglocal { color: var(--auglocal); }
.chart { margin: 14px 0 4px; overflow-x: auto; }
.chart svg { display: block; width: 100%; height: auto; }
.charts { display: grid; gap: 8px 28px;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 340px), 1fr)); }
.chart.wide svg { min-width: 640px; }
.chart.bars svg { max-width: 720px; min-width: 420px; }
.table { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums;
  font-size: .95rem; }
th, td { text-align: left; padding: 8px 12px 8px 0; border-bottom: 1px solid var(--grid);
  vertical-align: baseline; }
th { font-weight: 600; color: var(--muted); font-size: .86rem; }
tbody th { color: var(--ink); font-size: inherit; }
tr:last-child td, tr:last-child th { border-bottom: 0; }
.right { text-align: right; padding-right: 18px; }
td.right, tbody th code { white-space: nowrap; }
.scenes { display: grid; gap: 20px; margin-top: 16px; }
.row { display: grid; gap: 12px; grid-template-columns: repeat(3, 1fr); }
.scene { margin: 0; }
.scene svg { display: block; width: 100%; height: auto; border-radius: 8px; font-weight: 700;
  font-family: var(--font); }
.scene image { image-rendering: auto; }
figcaption { font-size: .85rem; margin-top: 4px; }
.blocks { display: flex; flex-wrap: wrap; gap: 5px; align-items: center; }
.block { border: 1px solid var(--grid); border-radius: 6px; padding: 1px 8px; font-size: .86rem;
  white-space: nowrap; }
.block.end { background: var(--page); }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: 6px 20px; margin: 0;
  font-size: .95rem; }
.facts dt { color: var(--muted); } .facts dd { margin: 0; min-width: 0; }
header .facts { margin-top: 18px; font-size: .9rem; }
@media (max-width: 620px) {
  main { padding: 24px 14px 40px; }
  section { padding: 20px 16px; border-radius: 12px; }
  .row { gap: 6px; }
  .facts { grid-template-columns: 1fr; gap: 0; } .facts dd { margin-bottom: 8px; }
}
@media print { body { background: #fff; } section { break-inside: avoid; } }
"""
