/**
 * A program with a broker in it: `node host-program.ts CONFIG`, where CONFIG is JSON for `startBroker`. It says where
 * the broker listens, answers each line on its input, so that a test knows that it lives, and ends when the input does.
 */
import { createInterface } from 'node:readline'
import { startBroker } from '../../../src/index.ts'

const broker = await startBroker(JSON.parse(process.argv[2] ?? '{}'))
console.log(`listening on ${broker.bootstrapServers[0]}`)
for await (const line of createInterface({ input: process.stdin })) console.log(`heard ${line}`)
await broker.close()
console.log('closed')
