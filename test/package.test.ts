/**
 * What `npm pack` makes is whole: it installs as a package, its command runs, its types are there, it starts a broker.
 */
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { inRepository } from './support/paths.ts'
import { type Finished, runProgram } from './support/process.ts'

export const timeoutMs = 240_000

const test = suite('package')

// Inside the repository, so that the package's own dependencies are found above it.
const folder = inRepository('dist', 'package-test')
const installed = inRepository('dist', 'package-test', 'node_modules', 'odradek')

const run = (program: string, ...args: string[]): Promise<Finished> =>
  runProgram(program, args, { cwd: folder, timeoutMs: 200_000 })

test.before(async () => {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(installed, { recursive: true })
  // A package of its own: inside the repository's, `odradek` would mean the repository itself.
  writeFileSync(`${folder}/package.json`, '{ "private": true }')
  // The build that the suite runs on is the one that is packed: nothing is built here, under running tests.
  const packed = await runProgram('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder], {
    cwd: inRepository(),
  })
  assert.is(packed.code, 0, packed.stderr)
  const unpacked = await run('tar', '-xzf', packed.stdout.trim(), '--strip-components=1', '-C', installed)
  assert.is(unpacked.code, 0, unpacked.stderr)
})

test.after(() => rmSync(folder, { recursive: true, force: true }))

test('holds the addon, types and licence and no tests when unpacked', () => {
  assert.ok(existsSync(`${installed}/LICENSE`))
  assert.ok(existsSync(`${installed}/dist/src/index.d.ts`))
  assert.not(existsSync(`${installed}/dist/test`))
  const addons = readdirSync(`${installed}/dist/native/addon`).filter(name => name.endsWith('.node'))
  assert.is(addons.length, 1, addons.join(', '))
  assert.ok(statSync(`${installed}/dist/native/addon/${addons[0]}`).size > 100_000)
})

test('tells its version when the command is asked', async () => {
  const { stdout, stderr, code } = await run('node', `${installed}/dist/src/cli/main.js`, '--version')
  assert.is(code, 0, stderr)
  assert.match(stdout, /^\d+\.\d+\.\d+/)
})

test('its command is a file that can be run when it was built', () => {
  assert.is(statSync(inRepository('dist', 'src', 'cli', 'main.js')).mode & 0o111, 0o111)
})

test('its types stand by themselves in a project with neither newer libs nor Node’s types', async () => {
  const program = `
    import { type Broker, type Log, openLog, startBroker } from 'odradek'
    export const servers = async (): Promise<string[]> => (await startBroker({ port: 0 })).bootstrapServers
    export const closed = (each: Broker | Log): PromiseLike<void> => each[Symbol.asyncDispose]()
    export const opened = (): Promise<Log> => openLog({ dir: './logs/audit-0' })
  `
  writeFileSync(`${folder}/user.mts`, program)
  const flags = '--ignoreConfig --noEmit --strict --target es2022 --lib es2022 --module nodenext'.split(' ')
  const compiler = inRepository('node_modules', 'typescript', 'bin', 'tsc')
  const { stdout, code } = await run('node', compiler, ...flags, '--types', '', 'user.mts')
  assert.is(code, 0, stdout)
})

test('starts a broker when imported by name', async () => {
  const program = `
    const { startBroker } = await import('odradek')
    const broker = await startBroker()
    if (!(broker.port > 0) || broker.bootstrapServers.length === 0) throw new Error('no port')
    await broker.close()
    console.log('closed')
  `
  const { stdout, stderr, code } = await run('node', '--input-type=module', '-e', program)
  assert.is(code, 0, stderr)
  assert.is(stdout, 'closed\n')
})

test.run()
