/** `odradek log` as a process: what it prints, how it ends, what it leaves alone. */
import { chmodSync, cpSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { odradekCommand, startBrokerProcess } from '../support/broker-process.ts'
import { inRepository } from '../support/paths.ts'
import { runProgram } from '../support/process.ts'
import { temporaryFolder } from '../support/temporary.ts'

const test = suite('odradek log')

const odradek = (...args: string[]) => {
  const [program, before] = odradekCommand()
  return runProgram(program, [...before, 'log', ...args])
}

const recorded = () => {
  const dir = temporaryFolder('log')
  cpSync(inRepository('test/vectors/logs/closed'), dir, { recursive: true })
  return dir
}

const segment = 'mixed-0/00000000000000000216.log'

const damage = (file: string, at: number) => {
  const bytes = readFileSync(file)
  bytes[at]! ^= 1
  writeFileSync(file, bytes)
}

/** Every file below a folder: name, bytes, time of the last change. */
const contents = (dir: string): [string, string, number][] =>
  (readdirSync(dir, { recursive: true }) as string[])
    .sort()
    .filter(name => statSync(join(dir, name)).isFile())
    .map(name => [name, readFileSync(join(dir, name), 'latin1'), statSync(join(dir, name)).mtimeMs])

test('dump prints batches, and records with their meaning when asked for', async () => {
  const dir = recorded()
  const batches = await odradek('dump', join(dir, segment))
  assert.is(batches.code, 0, batches.stderr)
  assert.match(
    batches.stdout,
    /^batch 216\.\.\d+, byte 0, \d+ bytes, \d+ records, magic 2, epoch 0, CreateTime .*CRC 0x/m,
  )
  assert.not.match(batches.stdout, /WRONG/)
  const records = await odradek('dump', '--records', '--from', '217', '--to', '219', join(dir, segment))
  assert.is(records.stdout.match(/^ {2}\d+ /gm)?.length, 3)
  const all = await odradek('dump', '--records', dir)
  for (const pattern of [
    /"name":"TopicRecord".*"name":"mixed"/,
    /"name":"OffsetCommit","key":\{"group":"readers","topic":"mixed","partition":0\}/,
    /\{"marker":"ABORT","coordinatorEpoch":0\}/,
    /key "k1" value "/,
    /headers "h"="\\u0001\\u0002\\u0003"/,
    /zstd/,
    /producerId \d+, producerEpoch 0/,
    /cluster\.id=/,
    /firstOffset \d+, lastOffset \d+/,
  ]) {
    assert.match(all.stdout, pattern)
  }
})

test('json is a line each that reads back when asked for', async () => {
  const { code, stdout } = await odradek('dump', '--records', '--json', recorded())
  assert.is(code, 0)
  const lines = stdout.trimEnd().split('\n')
  const read = lines.map(line => JSON.parse(line) as { type: string; decoded?: { name: string } })
  assert.ok(read.some(line => line.decoded?.name === 'PartitionRecord'))
  assert.equal([...new Set(read.map(line => line.type))].sort(), [
    ...['batch', 'entry', 'file', 'producer', 'record', 'snapshot', 'text'],
  ])
})

test('verify and dump change nothing, and work where nothing can be written', async () => {
  const dir = recorded()
  damage(join(dir, segment), 800)
  const before = contents(dir)
  const names = readdirSync(dir, { recursive: true }) as string[]
  for (const name of names) chmodSync(join(dir, name), 0o555)
  assert.is((await odradek('verify', '--deep', dir)).code, 1)
  assert.is((await odradek('dump', '--records', dir)).code, 0)
  assert.is((await odradek('repair', dir)).code, 1)
  assert.equal(contents(dir), before)
  for (const name of names) chmodSync(join(dir, name), 0o755)
})

test('an empty path is refused, and is not the working directory', async () => {
  for (const command of [['dump'], ['verify'], ['repair', '--yes']]) {
    const { code, stdout, stderr } = await odradek(...command, '')
    assert.equal([code, stdout], [2, ''], stderr)
    assert.match(stderr, /a path is empty/)
  }
})

test('verify says file, byte and remedy and ends with 1 when something is wrong', async () => {
  const dir = recorded()
  const clean = await odradek('verify', '--deep', dir)
  assert.equal([clean.code, clean.stderr], [0, ''])
  assert.match(clean.stdout, /^\d+ files, \d+ batches, \d+ bytes: 0 errors, 0 warnings, 0 notes$/m)
  damage(join(dir, segment), 800)
  const { code, stdout } = await odradek('verify', dir)
  assert.is(code, 1)
  assert.match(stdout, /^error: \S+216\.log, byte \d+: the CRC .*below the recovery point 480.*; restore it/m)
  const json = await odradek('verify', '--json', dir)
  assert.is(JSON.parse(json.stdout.split('\n')[0]!).severity, 'error')
  assert.is((await odradek('verify', join(dir, 'txn-0'))).code, 0)
  assert.is((await odradek('verify', join(dir, 'mixed-0'))).code, 1)
  assert.is((await odradek('verify', join(dir, segment), join(dir, 'meta.properties'))).code, 1)
})

test('repair says what it would do, does it with --yes, and loses nothing without leave', async () => {
  const dir = recorded()
  const index = join(dir, 'mixed-0/00000000000000000216.index')
  damage(index, 11)
  damage(join(dir, 'txn-0/00000000000000000103.log'), 100)
  const before = contents(dir)
  const plan = await odradek('repair', dir)
  assert.is(plan.code, 1)
  assert.match(plan.stdout, /^plan: \S+216\.log: build its index files anew$/m)
  assert.match(plan.stdout, /^not without --accept-loss: \S+103\.log: cut at byte \d+/m)
  assert.match(plan.stderr, /nothing was changed; --yes does it/)
  assert.equal(contents(dir), before)

  const done = await odradek('repair', '--yes', dir)
  assert.is(done.code, 1)
  assert.match(done.stdout, /^done: \S+216\.log: build its index files anew$/m)
  assert.match(done.stderr, /need --accept-loss/)
  const lossy = await odradek('repair', '--yes', '--accept-loss', dir)
  assert.is(lossy.code, 0, lossy.stdout)
  assert.match(lossy.stdout, /ACKNOWLEDGED RECORDS from offset \d+ on/)
  assert.is((await odradek('verify', '--deep', dir)).code, 0)
  const again = await odradek('repair', '--yes', dir)
  assert.equal([again.code, again.stdout, again.stderr], [0, '', 'nothing to mend\n'])
  const kept = readdirSync(join(dir, 'txn-0')).filter(name => name.endsWith('.odradek-cut'))
  assert.ok(kept.length > 0)
})

test('a broker at work is told of, and repair keeps away from it', async () => {
  const dir = temporaryFolder('log')
  const broker = await startBrokerProcess(dir)
  const { code, stderr } = await odradek('verify', dir)
  assert.is(code, 0)
  assert.match(stderr, /^warning: .* has \S+ open/)
  const refused = await odradek('repair', '--yes', dir)
  assert.equal([refused.code, refused.stdout], [2, ''])
  assert.match(refused.stderr, /in use by/)
  await broker.kill()
})

test('a path that is nothing ends with 2 and says so when it is given', async () => {
  const cases: [string[], RegExp][] = [
    [['verify', '/nowhere/at-0'], /\/nowhere\/at-0: No such file/],
    [['dump', inRepository('package.json')], /no file of a log directory/],
    [['verify'], /missing required argument/],
    [['dump', '--from', 'x', '.'], /integer from 0 on/],
    [['mend'], /unknown command/],
  ]
  for (const [args, pattern] of cases) {
    const { code, stderr } = await odradek(...args)
    assert.is(code, 2, args.join(' '))
    assert.match(stderr, pattern)
  }
})

test('dump ends quietly when its reader goes away', async () => {
  const [program, before] = odradekCommand()
  const command = [program, ...before, 'log', 'dump', '--records', recorded()].map(word => `'${word}'`).join(' ')
  const { code, stdout, stderr } = await runProgram('bash', ['-c', `set -o pipefail; ${command} | head -1`])
  assert.equal([code, stderr, stdout.split('\n').length], [0, '', 2])
})

test.run()
