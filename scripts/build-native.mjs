/**
 * Builds the native addon with @napi-rs/cli, unless the one in native/addon was made from the present sources.
 *
 *   node scripts/build-native.mjs [--lossy] [--force]
 *
 * --lossy builds the test variant that drops wake-ups, under a name of its own beside the real one; load it with
 * ODRADEK_NATIVE_PATH. A stamp beside each addon holds the hash of the sources it was made from.
 */
import { mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Failure, filesBelow, hashOf, inRoot, isProgram, main, must, readJson, run, say } from './lib.mjs'
import { setup } from './setup.mjs'

const folder = 'native/addon'

const sources = () => [
  'Cargo.toml',
  ...filesBelow('.', name => name === 'Cargo.lock'),
  ...filesBelow(
    'native',
    name => /\.rs$|\/Cargo\.toml$/.test(name) && !/\/(tests|benches)\/|^native\/(proof|fuzz)\//.test(name),
  ),
]

const addonFiles = prefix =>
  readdirSync(inRoot(folder)).filter(name => name.startsWith(`${prefix}.`) && name.endsWith('.node'))

const hasCargo = async () => {
  try {
    return (await run('cargo', ['--version'], { capture: true })).code === 0
  } catch {
    return false
  }
}

/** Resolves to the path of the addon for this platform, relative to the root. */
export const buildNative = async ({ lossy = false, force = false } = {}) => {
  const prefix = lossy ? 'odradek-lossy' : 'odradek'
  const stampPath = inRoot(folder, `.${prefix}.stamp.json`)
  const hash = hashOf(sources())
  const stamp = readJson(stampPath)
  const present = addonFiles(prefix)
  if (!force && stamp?.hash === hash && present.includes(stamp.file)) return `${folder}/${stamp.file}`
  if (!(await hasCargo())) {
    const file = stamp?.file
    if (file !== undefined && present.includes(file)) {
      say(`no Rust toolchain: going on with ${folder}/${file}, which was built from other sources`)
      return `${folder}/${file}`
    }
    throw new Failure('the native addon must be built once, which needs a Rust toolchain (rustup.rs) and a C compiler')
  }
  await setup()
  say(`building the native addon${lossy ? ' (lossy wake-ups)' : ''}`)
  const output = mkdtempSync(inRoot(folder, '.build-'))
  try {
    await must(process.execPath, [
      inRoot('node_modules/@napi-rs/cli/dist/cli.js'),
      ...['build', '--platform', '--release', '--no-js'],
      ...['--manifest-path', `${folder}/Cargo.toml`],
      ...['--package-json-path', 'package.json'],
      ...['--output-dir', output],
      ...['-p', 'odradek-addon'],
      ...(lossy ? ['--features', 'lossy-wakeups'] : []),
    ])
    const built = readdirSync(output).find(name => name.endsWith('.node'))
    if (built === undefined) throw new Failure('napi build made no .node file')
    const file = built.replace(/^odradek\./, `${prefix}.`)
    renameSync(join(output, built), inRoot(folder, file))
    writeFileSync(stampPath, `${JSON.stringify({ file, hash })}\n`)
    return `${folder}/${file}`
  } finally {
    rmSync(output, { recursive: true, force: true })
  }
}

if (isProgram(import.meta.url)) {
  await main(async args => {
    say(await buildNative({ lossy: args.includes('--lossy'), force: args.includes('--force') }))
  })
}
