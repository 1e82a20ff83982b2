// Start the reference server of Durable Streams for bench/streams.py. Usage: node reference.mjs PACKAGE_DIR [DATA_DIR]
import { createRequire } from "node:module"
import { pathToFileURL } from "node:url"

const [folder, dataDir] = process.argv.slice(2)
const require = createRequire(import.meta.url)
const manifest = require(`${folder}/package.json`)
const entry = pathToFileURL(`${folder}/${manifest.module}`).href
const { DurableStreamTestServer } = await import(entry)
console.log = console.info = console.debug = () => {} // logging is not measured
const server = new DurableStreamTestServer({ port: 0, ...(dataDir ? { dataDir } : {}) })
const url = await server.start()
process.stdout.write(`${manifest.version} ${url}\n`)
