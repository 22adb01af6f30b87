/** The command as a process: output, exit codes, signals. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { version } from '../../src/base/version.ts'
import { odradekCommand, startBrokerProcess } from '../support/broker-process.ts'
import { runProgram } from '../support/process.ts'
import { temporaryFolder } from '../support/temporary.ts'

const command = suite('odradek')

const odradek = (args: string[], env: Record<string, string> = {}) => {
  const [program, before] = odradekCommand()
  return runProgram(program, [...before, ...args], { env })
}

command('help and version end with 0 when asked for', async () => {
  const help = await odradek(['--help'])
  assert.equal([help.code, help.stderr], [0, ''])
  assert.match(help.stdout, /serve/)
  const printed = await odradek(['--version'])
  assert.equal([printed.code, printed.stdout], [0, `${version}\n`])
  assert.match((await odradek(['serve', '--help'])).stdout, /--flush <mode>/)
})

command('wrong usage ends with 2 and a hint when it is tried', async () => {
  const cases: [string[], RegExp][] = [
    [['serve', '--port', '70000'], /0 to 65535/],
    [['serve', '--nonsense'], /unknown option/],
    [['serve', '--flush', 'never'], /Allowed choices are group, os/],
    [['serve', '--memory', '--dir', 'x'], /cannot be used with/],
    [['serve', '-c', 'log.segment.bytes=1'], /log\.segment\.bytes=1 \(-c\) is not allowed/],
    [['serve', '--host', ''], /takes a name or an address/],
    [['serve', '--config', '/nowhere'], /cannot read \/nowhere/],
    [['sevre'], /unknown command/],
    [[], /Usage: odradek/],
  ]
  for (const [args, pattern] of cases) {
    const { code, stderr } = await odradek(args)
    assert.is(code, 2, args.join(' '))
    assert.match(stderr, pattern)
  }
})

command('a broker serves until a signal and stops with 0 when it comes', async () => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    const dir = join(temporaryFolder('serve'), 'made', 'by', 'itself')
    const broker = await startBrokerProcess(dir, { env: { ODRADEK_LOG: 'info' } })
    const { code, stdout, stderr } = await broker.running.kill(signal)
    assert.is(code, 0, stderr)
    assert.match(
      stdout,
      /^odradek \S+ listening on 127\.0\.0\.1:\d+ after \d+ ms · data .* · acks=all waits for disk · try: kcat[^\n]*\n$/,
    )
    assert.match(stderr, /"msg":"formatted .*: cluster [\w-]{22}, node 1"/)
    assert.ok(existsSync(join(dir, 'meta.properties')))
    assert.ok(existsSync(join(dir, '.kafka_cleanshutdown')))
  }
})

command('a second broker is refused with 2 and a remedy when port or directory is taken', async () => {
  const dir = temporaryFolder('serve')
  const broker = await startBrokerProcess(dir)
  const other = temporaryFolder('serve')
  const port = await odradek(['serve', '--port', String(broker.port), '--dir', other])
  assert.is(port.code, 2, port.stderr)
  assert.match(port.stderr, /^error: .*127\.0\.0\.1:\d+.*--port/m)
  const locked = await odradek(['serve', '--port', '0', '--dir', dir])
  assert.is(locked.code, 2, locked.stderr)
  assert.match(locked.stderr, /^error: .* is in use by another process/m)
  assert.is((await broker.stop()).code, 0)
})

command('nothing is kept when it runs in memory', async () => {
  const [program, before] = odradekCommand()
  const cwd = temporaryFolder('memory')
  const { startProgram } = await import('../support/process.ts')
  const running = startProgram(program, [...before, 'serve', '--memory', '--port', '0'], { cwd })
  await running.sees(/data in memory/)
  assert.is((await running.kill('SIGTERM')).code, 0)
  assert.not.ok(existsSync(join(cwd, 'data')))
})

command('variables of the environment and unknown keys are warned of when they say nothing', async () => {
  const env = { KAFKA_OPTS: '-Xmx1G', KAFKA_NUM_PARTITIONS: '0', ODRADEK_LOG_FORMAT: 'pretty' }
  const { code, stderr } = await odradek(['serve', '-c', 'num.partition=1'], env)
  assert.is(code, 2)
  assert.match(stderr, /^warn {2}environment variable KAFKA_OPTS is no broker config and was ignored$/m)
  assert.match(stderr, /^warn {2}unknown config num\.partition \(-c\); the nearest is num\.partitions$/m)
  assert.match(stderr, /^error: num\.partitions=0 \(environment\) is not allowed/m)
})

command.run()
