import { cpSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { startBroker } from '../../src/index.ts'
import { createTopic, produceBatch, readAll } from '../support/records-client.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { WireClient } from '../support/wire-client.ts'

const test = suite('replicas')

/** The topic was deleted while one directory was offline, and made again in the other. */
for (const stale of ['first', 'second']) {
  test(`a folder of a topic that is gone is a stray when the ${stale} directory has it and the other has its successor`, async () => {
    const folder = temporaryFolder('twins')
    const directories = ['first', 'second'].map(name => join(folder, name))
    const dir = directories.join(',')
    const names = ['t-0', 't-1']
    const before = await startBroker({ dir, logger: false })
    const client = await WireClient.connect(before.port)
    await createTopic(client, 't', names.length)
    for (const partition of names.keys()) await produceBatch(client, { topic: 't', partition, acks: -1 }, ['kept'])
    await client.close()
    await before.close()

    const old = join(folder, stale)
    const present = readdirSync(old)
    const name = names.find(each => !present.includes(each)) as string
    const sound = directories.find(each => each !== old) as string
    cpSync(join(sound, name), join(old, name), { recursive: true })
    writeFileSync(join(old, name, 'partition.metadata'), 'version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAbQ')

    const after = await startBroker({ dir, logger: false })
    const reader = await WireClient.connect(after.port)
    for (const partition of names.keys()) {
      const records = await readAll(reader, 't', partition)
      assert.equal(
        records.map(({ value }) => value),
        ['kept'],
      )
    }
    await reader.close()
    await after.close()
    assert.not.ok(readdirSync(old).includes(name))
    assert.ok(readdirSync(old).some(each => each.startsWith(`${name}.`) && each.endsWith('-stray')))
  })
}

test.run()
