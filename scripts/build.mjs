/**
 * Compiles the TypeScript to dist/, unless dist/ was made from the present sources.
 *
 *   node scripts/build.mjs [--all] [--force]
 *
 * dist/ mirrors the repository (dist/src, dist/native/addon, with --all dist/test and dist/bench), so that a relative
 * path between two files holds in both. The addon and its loader are copied; of test/ and bench/, everything that is
 * not TypeScript is linked.
 */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname, relative } from 'node:path'
import { Failure, filesBelow, hashOf, inRoot, isProgram, main, readJson, run, say } from './lib.mjs'
import { setup } from './setup.mjs'

const isTypeScript = name => /\.ts$/.test(name) && !/\.d\.ts$/.test(name)

/** A copy keeps its time, so that equal times mean "copied already". */
const copy = name => {
  const from = inRoot(name)
  const to = inRoot('dist', name)
  const { atime, mtime, size } = statSync(from)
  if (existsSync(to) && statSync(to).mtimeMs === mtime.getTime() && statSync(to).size === size) return
  mkdirSync(dirname(to), { recursive: true })
  rmSync(to, { force: true })
  copyFileSync(from, to)
  utimesSync(to, atime, mtime)
}

const linkTo = (target, path) => {
  const wanted = relative(dirname(path), target)
  const present = lstatSync(path, { throwIfNoEntry: false })
  if (present?.isSymbolicLink()) rmSync(path)
  else if (present !== undefined) return
  mkdirSync(dirname(path), { recursive: true })
  symlinkSync(wanted, path)
}

/** Links what a test may open beside itself: folders without TypeScript as a whole, files one by one. */
const linkOthers = folder => {
  let compiled = false
  const others = []
  for (const entry of readdirSync(inRoot(folder), { withFileTypes: true })) {
    const name = `${folder}/${entry.name}`
    if (entry.isDirectory() && entry.name !== 'node_modules' && entry.name !== 'fixtures') {
      if (linkOthers(name)) compiled = true
      else others.push(name)
    } else if (isTypeScript(name)) compiled = true
    else others.push(name)
  }
  if (compiled) for (const name of others) linkTo(inRoot(name), inRoot('dist', name))
  return compiled
}

const typescript = () => inRoot('node_modules/typescript/bin/tsc')

/** Checks the types of the whole repository; returns the compiler's complaints, empty when there are none. */
export const typeCheck = async () => {
  const { code, output } = await run(process.execPath, [typescript(), '--noEmit', '-p', '.'], { capture: true })
  return code === 0 ? '' : output
}

/** `lenient` keeps what the compiler could emit despite type errors, which the caller reports by `typeCheck`. */
export const build = async ({ all = false, force = false, lenient = false } = {}) => {
  await setup()
  const folders = all ? ['src', 'test', 'bench'] : ['src']
  const inputs = [
    ...['package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json'],
    ...folders.flatMap(folder => filesBelow(folder, isTypeScript)),
  ]
  const hash = hashOf(inputs)
  const stampPath = inRoot('dist', all ? '.stamp-all.json' : '.stamp.json')
  const otherStampPath = inRoot('dist', all ? '.stamp.json' : '.stamp-all.json')
  if (force || readJson(stampPath)?.hash !== hash) {
    rmSync(otherStampPath, { force: true })
    for (const folder of folders) rmSync(inRoot('dist', folder), { recursive: true, force: true })
    const project = all ? 'tsconfig.json' : 'tsconfig.build.json'
    const { code, output } = await run(process.execPath, [typescript(), '-p', project], { capture: true })
    if (code !== 0 && !lenient) {
      say(output)
      throw new Failure('the TypeScript compiler refused the sources')
    }
    mkdirSync(inRoot('dist'), { recursive: true })
    for (const program of Object.values(readJson(inRoot('package.json')).bin)) {
      if (existsSync(inRoot(program))) chmodSync(inRoot(program), 0o755) // npx runs the file itself
    }
    if (code === 0) writeFileSync(stampPath, `${JSON.stringify({ hash })}\n`)
  }
  for (const name of filesBelow('src', path => /\.(cjs|json|d\.[cm]?ts)$/.test(path))) copy(name)
  for (const name of filesBelow('native/addon', path => /\.(cjs|d\.cts|node)$/.test(path))) {
    if (!name.includes('-lossy.')) copy(name)
  }
  if (all) {
    linkOthers('test')
    if (existsSync(inRoot('bench'))) linkOthers('bench')
  }
}

if (isProgram(import.meta.url)) {
  await main(args => build({ all: args.includes('--all'), force: args.includes('--force') }))
}
