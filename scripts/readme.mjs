/**
 * What the README says and nobody writes by hand: the table of clients (tests note what they saw a client do; a whole
 * run of the suite leaves the notes in dist/works-with.jsonl), the topic configs that are stored without an effect, and
 * the figures of the last kept benchmarks (docs/*figures.json).
 *
 *   node scripts/readme.mjs            notes of the last run -> docs/works-with.json; that and the configs -> README.md
 *   node scripts/readme.mjs --check    changes nothing; fails when README.md says something else
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { build } from './build.mjs'
import { tableOfAppendFigures, tableOfFigures, tableOfGroupFigures, tableOfStorageFigures } from './figures.mjs'
import { Failure, inRoot, isProgram, main, readJson, say } from './lib.mjs'

export const notesPath = inRoot('dist/works-with.jsonl')
const tablePath = inRoot('docs/works-with.json')
const readmePath = inRoot('README.md')

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

const tableOf = rows =>
  [
    '| client | version | in | what passed |',
    '|---|---|---|---|',
    ...rows.map(
      ({ client, version, runtime, passed }) => `| ${client} | ${version} | ${runtime} | ${passed.join(', ')} |`,
    ),
  ].join('\n')

/** Topic configs without an effect yet, in lines of the README's width. */
const storedConfigs = async () => {
  const { storedOnly } = await import(pathToFileURL(inRoot('dist/src/config/topic-config.js')).href)
  const lines = ['']
  for (const name of storedOnly().topic.sort(byText)) {
    const word = `\`${name}\``
    const line = lines.at(-1)
    if (line === '') lines[lines.length - 1] = word
    else if (line.length + 2 + word.length <= 116) lines[lines.length - 1] = `${line}, ${word}`
    else {
      lines[lines.length - 1] = `${line},`
      lines.push(word)
    }
  }
  return lines.join('\n')
}

/** Replaces what stands between the marks of `name`. */
const fill = (text, name, content) => {
  const begin = `<!-- ${name}: written by npm run readme -->\n`
  const end = `\n<!-- ${name}: end -->`
  const from = text.indexOf(begin)
  const to = text.indexOf(end)
  if (from < 0 || to < from) throw new Failure(`README.md has lost the marks of ${name}`)
  return text.slice(0, from + begin.length) + content + text.slice(to)
}

const render = async rows => {
  const parts = {
    'works with': tableOf(rows),
    'stored configs': await storedConfigs(),
    figures: tableOfFigures(readJson(inRoot('docs/figures.json'))),
    'group figures': tableOfGroupFigures(readJson(inRoot('docs/group-figures.json'))),
    'storage figures': tableOfStorageFigures(readJson(inRoot('docs/storage-figures.json'))),
    'append figures': tableOfAppendFigures(readJson(inRoot('docs/append-figures.json'))),
  }
  return Object.entries(parts).reduce(
    (text, [name, content]) => fill(text, name, content),
    readFileSync(readmePath, 'utf8'),
  )
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
  await main(async ([flag]) => {
    if (flag === '--check') {
      // Under a running suite dist/ is current, and must not be rebuilt.
      if (!existsSync(inRoot('dist/src/config'))) await build()
      if (readFileSync(readmePath, 'utf8') === (await render(readJson(tablePath) ?? []))) return 0
      throw new Failure('README.md is not what the tables say: npm run readme')
    }
    await build({ lenient: true })
    const rows = rowsOf(readNotes())
    if (rows.length > 0) writeFileSync(tablePath, `${JSON.stringify(rows, null, 2)}\n`)
    else say('the last run noted no client; the kept table stays')
    writeFileSync(readmePath, await render(readJson(tablePath) ?? []))
    return 0
  })
}
