/** Topics that the broker keeps for itself: clients may have them made and read them, and never write them. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { produce } from '../../src/protocol/apis/00-produce.ts'
import { metadata } from '../../src/protocol/apis/03-metadata.ts'
import { createTopics } from '../../src/protocol/apis/19-create-topics.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import { batch, startTestBroker, type TestBroker } from '../support/broker.ts'
import { createTopic, readAll } from '../support/records-client.ts'

const test = suite('internal topics')
const internal = ['__consumer_offsets', '__transaction_state', '__share_group_state']
let fixture: TestBroker

test.before(async () => {
  fixture = await startTestBroker()
})
test.after(() => fixture.close())

const producing = (name: string, acks: number) => ({
  acks,
  timeoutMs: 5000,
  topicData: [{ name, partitionData: [{ index: 0, records: batch(['a']) }] }],
})

test('they are not created on demand, and the metadata log by nobody', async () => {
  const client = await fixture.connect()
  const names = [...internal, '__cluster_metadata']
  const { topics } = await client.send(metadata, 12, {
    topics: internal.map(name => ({ name })),
    allowAutoTopicCreation: true,
  })
  for (const { errorCode } of topics) assert.is(errorCode, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  const made = await client.send(createTopics, 7, {
    topics: [{ name: '__cluster_metadata', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }],
    timeoutMs: 1000,
  })
  assert.is(made.topics[0]?.errorCode, ErrorCode.INVALID_REQUEST)
  for (const name of names) {
    const { responses } = await client.send(produce, 9, producing(name, -1))
    assert.is(responses[0]?.partitionResponses[0]?.errorCode, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, name)
  }
})

test('a client that writes them is refused with every acks, whatever it calls itself', async () => {
  const client = await fixture.connect()
  for (const name of internal) await createTopic(client, name)
  for (const clientId of ['anybody', '', '__admin_client']) {
    for (const name of internal) {
      const writer = await fixture.connect(clientId)
      for (const acks of [-1, 1]) {
        const { responses } = await writer.send(produce, 9, producing(name, acks))
        assert.is(responses[0]?.partitionResponses[0]?.errorCode, ErrorCode.INVALID_TOPIC_EXCEPTION)
      }
      writer.post(produce, 9, producing(name, 0))
      await writer.closed
      assert.equal(await readAll(client, name, 0), [])
    }
  }
})

test.run()
