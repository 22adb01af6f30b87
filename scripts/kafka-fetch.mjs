/**
 * Fetches Apache Kafka (broker, tools, clients) as jars through Maven, for the tests that compare us with it.
 *
 *   node scripts/kafka-fetch.mjs
 *
 * Writes below ~/.cache/odradek-lab/kafka only: libs/ holds the jars, kafka-version says which; both present and of the
 * wanted version, nothing is done. KAFKA_VERSION names another version, ODRADEK_KAFKA_DIR another folder.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { isProgram, main, must, say } from './lib.mjs'

const version = process.env.KAFKA_VERSION ?? '4.3.1'
const folder = process.env.ODRADEK_KAFKA_DIR ?? join(homedir(), '.cache', 'odradek-lab', 'kafka')

const artifacts = [
  ['org.apache.kafka', 'kafka_2.13', version],
  ['org.apache.kafka', 'kafka-clients', version],
  ['org.apache.kafka', 'kafka-tools', version],
  ['org.apache.kafka', 'kafka-shell', version],
  ['org.apache.logging.log4j', 'log4j-core', '2.25.1'],
  ['org.apache.logging.log4j', 'log4j-slf4j-impl', '2.25.1'],
  ['org.apache.logging.log4j', 'log4j-1.2-api', '2.25.1'],
]

const pom = () => {
  const dependencies = artifacts.map(
    ([group, artifact, number]) =>
      `    <dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${number}</version></dependency>`,
  )
  return [
    '<project>',
    '  <modelVersion>4.0.0</modelVersion>',
    '  <groupId>odradek</groupId><artifactId>kafka-jars</artifactId><version>1</version><packaging>pom</packaging>',
    '  <dependencies>',
    ...dependencies,
    '  </dependencies>',
    '</project>',
    '',
  ].join('\n')
}

const present = () => {
  const path = join(folder, 'kafka-version')
  return existsSync(path) && readFileSync(path, 'utf8').trim() === version && existsSync(join(folder, 'libs'))
}

if (isProgram(import.meta.url)) {
  await main(async () => {
    if (present()) {
      say(`Apache Kafka ${version} is in ${folder}/libs`)
      return 0
    }
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'pom.xml'), pom())
    const fresh = join(folder, 'libs.new')
    rmSync(fresh, { recursive: true, force: true })
    await must(
      'mvn',
      ['-q', '-B', 'dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${fresh}`],
      { cwd: folder },
    )
    rmSync(join(folder, 'libs'), { recursive: true, force: true })
    renameSync(fresh, join(folder, 'libs'))
    writeFileSync(join(folder, 'kafka-version'), `${version}\n`)
    say(`Apache Kafka ${version}: ${readdirSync(join(folder, 'libs')).length} jars in ${folder}/libs`)
  })
}
