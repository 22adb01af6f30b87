import { readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { MetadataHashes } from '../../../../src/coordinator/group/consumer/metadata-hash.ts'
import type { BrokerImage, MetadataImage, PartitionImage, TopicImage } from '../../../../src/metadata/image.ts'
import { emptyImage } from '../../../../src/metadata/image.ts'
import { inRepository } from '../../../support/paths.ts'

const test = suite('metadata hash')

const racks = [null, 'rack-a', 'rack-b', 'räck']

/** The cluster of which test/vectors/record/MetadataHashes.java tells. */
function recordedImage(): MetadataImage {
  const brokers = new Map(racks.map((rack, id) => [id, { id, rack } as BrokerImage]))
  const topics = [
    topic('foo', 'fooAAAAAAAAAAAAAAAAAAA', 6, 1),
    topic('bar', 'barAAAAAAAAAAAAAAAAAAA', 3, 3),
    topic('a.much-longer_topic.name.that.says.what.it.is.for', 'w6HIZBvKS9m2PqlLqwGdgA', 100, 4),
    topic('one', 'AQIDBAUGBwgJCgsMDQ4PEA', 1, 1),
  ]
  return { ...emptyImage, brokers, topicsByName: new Map(topics.map(each => [each.name, each])) }
}

function topic(name: string, id: string, count: number, replication: number): TopicImage {
  const partitions = Array.from({ length: count }, (_, partition) => {
    const replicas = Array.from({ length: replication }, (_, replica) => (partition + replica) % racks.length)
    return { replicas } as unknown as PartitionImage
  })
  return { name, id, partitions }
}

test('the hash of topics is the one that Apache Kafka writes into a group', () => {
  const image = recordedImage()
  const lines = readFileSync(inRepository('test/vectors/groups/metadata-hashes.txt'), 'utf8').trim().split('\n')
  assert.is(lines.length, 5)
  for (const line of lines) {
    const [names, hash] = line.split(' ') as [string, string]
    assert.is(new MetadataHashes().ofTopics(names.split(',').reverse(), image), BigInt(hash), names)
  }
})

test('topics that do not exist count for nothing', () => {
  const hashes = new MetadataHashes()
  const image = recordedImage()
  assert.is(hashes.ofTopics(['none', 'foo'], image), hashes.ofTopics(['foo'], image))
  assert.is(hashes.ofTopics(['none'], image), 0n)
  assert.is(hashes.ofTopics([], image), 0n)
})

test('the hash is another when a topic has grown', () => {
  const hashes = new MetadataHashes()
  const image = recordedImage()
  const grown = topic('foo', 'fooAAAAAAAAAAAAAAAAAAA', 7, 1)
  const after = { ...image, topicsByName: new Map([['foo', grown]]) }
  assert.is.not(hashes.ofTopics(['foo'], after), hashes.ofTopics(['foo'], image))
})

test.run()
