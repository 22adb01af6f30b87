/**
 * The README's table of clients. Tests note what they saw a client do; a whole run of the suite leaves the notes in
 * dist/works-with.jsonl.
 *
 *   node scripts/works-with.mjs            notes of the last run -> docs/works-with.json -> README.md
 *   node scripts/works-with.mjs --check    fails when README.md does not say what docs/works-with.json says
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { Failure, inRoot, isProgram, main, readJson, say } from './lib.mjs'

export const notesPath = inRoot('dist/works-with.jsonl')
const tablePath = inRoot('docs/works-with.json')
const readmePath = inRoot('README.md')
const begin = '<!-- works-with: written by npm run works-with -->'
const end = '<!-- works-with: end -->'

const byText = (a, b) => (a < b ? -1 : a > b ? 1 : 0)

const readNotes = () => {
  if (!existsSync(notesPath)) return []
  return readFileSync(notesPath, 'utf8')
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line))
}

/** One row for each client, version and runtime. */
const rowsOf = notes => {
  const rows = new Map()
  for (const { client, version, runtime, what } of notes) {
    const key = JSON.stringify([client, version, runtime])
    const row = rows.get(key) ?? { client, version, runtime, passed: new Set() }
    row.passed.add(what)
    rows.set(key, row)
  }
  return [...rows.values()]
    .map(row => ({ ...row, passed: [...row.passed].sort(byText) }))
    .sort((a, b) => byText(`${a.client} ${a.version} ${a.runtime}`, `${b.client} ${b.version} ${b.runtime}`))
}

const render = rows =>
  [
    begin,
    '| client | version | in | what passed |',
    '|---|---|---|---|',
    ...rows.map(
      ({ client, version, runtime, passed }) => `| ${client} | ${version} | ${runtime} | ${passed.join(', ')} |`,
    ),
    end,
  ].join('\n')

const splitReadme = () => {
  const text = readFileSync(readmePath, 'utf8')
  const from = text.indexOf(begin)
  const to = text.indexOf(end)
  if (from < 0 || to < from) throw new Failure('README.md has lost the marks of its table of clients')
  return { before: text.slice(0, from), table: text.slice(from, to + end.length), after: text.slice(to + end.length) }
}

/** What the kept table claims and the last run did not show; empty when all of it was shown again. */
export const unproven = () => {
  const shown = new Set(readNotes().map(({ client, version, what }) => JSON.stringify([client, version, what])))
  return (readJson(tablePath) ?? []).flatMap(({ client, version, passed }) =>
    passed
      .filter(what => !shown.has(JSON.stringify([client, version, what])))
      .map(what => `${client} ${version}: ${what}`),
  )
}

if (isProgram(import.meta.url)) {
  await main(([flag]) => {
    const { before, table, after } = splitReadme()
    if (flag === '--check') {
      if (table === render(readJson(tablePath) ?? [])) return 0
      throw new Failure("README.md's table of clients is not that of docs/works-with.json: npm run works-with")
    }
    const rows = rowsOf(readNotes())
    if (rows.length === 0) throw new Failure('the last run noted nothing: run npm test first')
    writeFileSync(tablePath, `${JSON.stringify(rows, null, 2)}\n`)
    writeFileSync(readmePath, before + render(rows) + after)
    say(`${rows.length} clients written to docs/works-with.json and README.md`)
    return 0
  })
}
