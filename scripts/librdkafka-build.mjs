/**
 * Builds a newer librdkafka than distributions ship, and its load program, from the source that the npm package
 * node-rdkafka carries: kcat speaks the newer group protocol with it, benchmarks load brokers by
 * it. Takes a minute, once.
 *
 *   node scripts/librdkafka-build.mjs
 *
 * Writes below ~/.cache/odradek-lab/rdkafka-VERSION only; with src/librdkafka.so.1 and
 * examples/rdkafka_performance in it, nothing is done.
 */
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { main, must, say } from './lib.mjs'

const version = '3.6.1'
const folder = join(homedir(), '.cache', 'odradek-lab', `rdkafka-${version}`)

await main(async () => {
  if (existsSync(join(folder, 'src/librdkafka.so.1')) && existsSync(join(folder, 'examples/rdkafka_performance')))
    return 0
  say('building librdkafka (once)')
  const work = `${folder}.new`
  rmSync(work, { recursive: true, force: true })
  mkdirSync(work, { recursive: true })
  const shell = (command, cwd) => must('sh', ['-c', command], { cwd, capture: true })
  await shell(`npm pack --silent node-rdkafka@${version} && tar xzf node-rdkafka-${version}.tgz`, work)
  const source = join(work, 'package', 'deps', 'librdkafka')
  await shell('./configure --disable-gssapi --disable-curl --disable-ssl --disable-zstd', source)
  await shell('make libs && make -C examples rdkafka_performance', source)
  rmSync(folder, { recursive: true, force: true })
  renameSync(source, folder)
  rmSync(work, { recursive: true, force: true })
})
