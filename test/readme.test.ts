/** What the README derives from elsewhere is what stands there; the commands it names exist. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { startBrokerProcess } from './support/broker-process.ts'
import { inRepository } from './support/paths.ts'
import { type Finished, runProgram } from './support/process.ts'
import { readAll } from './support/records-client.ts'
import { temporaryFolder } from './support/temporary.ts'
import { WireClient } from './support/wire-client.ts'

const test = suite('readme')

test('says what the tables say when its derived parts are written again', async () => {
  const { code, stderr } = await runProgram(process.execPath, [inRepository('scripts/readme.mjs'), '--check'])
  assert.is(code, 0, stderr)
})

test('names only commands that exist when it says npm', () => {
  const { scripts } = JSON.parse(readFileSync(inRepository('package.json'), 'utf8')) as { scripts: object }
  for (const page of ['README.md', 'CONTRIBUTING.md']) {
    const text = readFileSync(inRepository(page), 'utf8')
    for (const [, name] of text.matchAll(/\bnpm run ([\w:]+)/g)) assert.ok(name! in scripts, `${page}: npm run ${name}`)
  }
})

/** Runs a JavaScript example of the README in an empty folder, with the built package under its own name. */
const runExample = async (importing: string, edit: (code: string) => string = code => code): Promise<Finished> => {
  const readme = readFileSync(inRepository('README.md'), 'utf8')
  const blocks = [...readme.matchAll(/```js\n([\s\S]*?)```/g)].map(([, code]) => code as string)
  const code = blocks.find(block => block.includes(`from '${importing}'`))
  assert.ok(code !== undefined, `no example imports ${importing}`)
  // Inside the repository, where its own name resolves to it and its development packages are found.
  const folder = inRepository('dist', 'readme-test')
  mkdirSync(folder, { recursive: true })
  const program = `${folder}/${importing}.mjs`
  writeFileSync(program, edit(code))
  try {
    return await runProgram('node', [program], { cwd: temporaryFolder('readme') })
  } finally {
    rmSync(program)
  }
}

test('the embedding example runs when pasted', async () => {
  const { code, stdout, stderr } = await runExample('odradek')
  assert.is(code, 0, stderr)
  assert.match(stdout, /127\.0\.0\.1:\d+/)
})

test('the client example runs when pasted', async () => {
  const broker = await startBrokerProcess(temporaryFolder('readme-broker'))
  const { code, stderr } = await runExample('kafkajs', code => code.replace(':9092', `:${broker.port}`))
  assert.is(code, 0, stderr)
  const client = await WireClient.connect(broker.port)
  assert.equal(await readAll(client, 'greetings', 0), [{ offset: 0, value: 'hello' }])
  await client.close()
  assert.is((await broker.stop()).code, 0)
})

test('the consumer group example reads what the client example sent when pasted below it', async () => {
  const broker = await startBrokerProcess(temporaryFolder('readme-groups'))
  const readme = readFileSync(inRepository('README.md'), 'utf8')
  const example = /```js\n(const consumer = [\s\S]*?)```/.exec(readme)
  assert.ok(example, 'no example of a consumer')
  const { code, stdout, stderr } = await runExample('kafkajs', client =>
    `${client}${example[1]}`
      .replaceAll(':9092', `:${broker.port}`)
      .replace(/console\.log\((.*)\) }\)$/m, '{ console.log($1); setTimeout(() => consumer.disconnect()) } })'),
  )
  assert.is(code, 0, stderr)
  assert.match(stdout, /^hello$/m)
  assert.is((await broker.stop()).code, 0)
})

test.run()
