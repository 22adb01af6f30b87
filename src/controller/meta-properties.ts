/**
 * The file meta.properties of a log directory: to which cluster and node it belongs.
 *
 * Invariants: written last when a directory is formatted, so a directory that has it is formatted whole. Kafka reads
 * and writes the same file.
 */
import { parseProperties } from '../config/properties.ts'
import { MetadataError } from '../metadata/records.ts'

export const META_PROPERTIES = 'meta.properties'

export interface MetaProperties {
  readonly clusterId: string
  readonly nodeId: number
  /** undefined: from before directories had ids. */
  readonly directoryId: string | undefined
}

export function formatMetaProperties({ clusterId, nodeId, directoryId }: MetaProperties): Uint8Array {
  const lines = ['#', 'version=1', `cluster.id=${clusterId}`, `node.id=${nodeId}`, `directory.id=${directoryId}`]
  return new TextEncoder().encode(lines.join('\n') + '\n')
}

/** @throws MetadataError naming the file, the value and the remedy */
export function parseMetaProperties(path: string, content: Uint8Array): MetaProperties {
  const parsed = parseProperties(new TextDecoder().decode(content))
  const refuse = (what: string, remedy: string): never => {
    throw new MetadataError(`${path} ${what}: ${remedy}`)
  }
  const restore = 'restore it from a copy, or choose another directory'
  if (!parsed.ok) return refuse('cannot be read as properties', restore)
  const get = (name: string) => parsed.values.get(name)
  const version = get('version')
  if (version === '0') {
    return refuse(
      'has version=0, as brokers with ZooKeeper wrote it',
      'migrate the cluster to KRaft with Apache Kafka 3.9 first, or choose another directory',
    )
  }
  if (version !== '1') {
    const shown = version === undefined ? 'has no version' : `has version=${version}; 1 is known`
    return refuse(shown, version !== undefined && Number(version) > 1 ? 'use the release that wrote it' : restore)
  }
  const clusterId = get('cluster.id')
  if (clusterId === undefined || clusterId === '') return refuse('has no cluster.id', restore)
  const nodeId = get('node.id')
  if (nodeId === undefined || !/^\d+$/.test(nodeId)) return refuse(`has node.id=${nodeId ?? ''}`, restore)
  return { clusterId, nodeId: Number(nodeId), directoryId: get('directory.id') }
}
