// What a page does by the gRPC-Web client of npm, and what comes of each call.

const { GrpcWebClientBase, MethodDescriptor, MethodType } = require('grpc-web')
const { BytesValue, Int32Value, StringValue } = require('google-protobuf/google/protobuf/wrappers_pb.js')

function method(name, kind, Asked, Answered) {
  const path = `/shop.Words/${name}`
  return new MethodDescriptor(path, kind, Asked, Answered, (asked) => asked.serializeBinary(), Answered.deserializeBinary)
}

const UPPER = method('Upper', MethodType.UNARY, StringValue, StringValue)
const DOUBLE = method('Double', MethodType.UNARY, BytesValue, BytesValue)
const COUNT = method('Count', MethodType.SERVER_STREAMING, Int32Value, Int32Value)
const WAITED = method('Waited', MethodType.SERVER_STREAMING, StringValue, StringValue)
const FAIL = method('Fail', MethodType.UNARY, StringValue, StringValue)
const NONE = method('None', MethodType.UNARY, StringValue, StringValue)

function of(Kind, value) {
  const made = new Kind()
  made.setValue(value)
  return made
}

// What came of a call: filled as it comes.
function noted(call) {
  const told = { messages: [], metadata: {}, status: null, error: null }
  call.on('metadata', (fields) => Object.assign(told.metadata, fields))
  call.on('status', ({ code, metadata }) => {
    told.status = { code, metadata }
  })
  return told
}

function fault(error) {
  return { code: error.code, message: error.message, metadata: error.metadata }
}

let base, client

function unary(descriptor, asked, fields = {}) {
  return new Promise((resolve) => {
    const told = noted(
      client.rpcCall(base + descriptor.getName(), asked, fields, descriptor, (error, answer) => {
        if (error) told.error = fault(error)
        else told.messages.push(answer.getValue())
        setTimeout(() => resolve(told)) // its status is told in the same turn
      }),
    )
  })
}

// seen: is told each message, and the call.
function stream(descriptor, asked, fields = {}, seen = () => {}) {
  const call = client.serverStreaming(base + descriptor.getName(), asked, fields, descriptor)
  return new Promise((resolve) => {
    const told = noted(call)
    call.on('data', (message) => {
      told.messages.push(message.getValue())
      seen(message.getValue(), call)
    })
    call.on('end', () => resolve(told))
    call.on('error', (error) => {
      told.error = fault(error)
      resolve(told)
    })
  })
}

// place: http://HOST:PORT. mode: binary, or text, of which alone the client shows a message before the last has come.
module.exports = async function walk(place, mode) {
  base = place
  client = new GrpcWebClientBase({ format: mode })
  const told = {}
  told.unary = await unary(UPPER, of(StringValue, 'grün & 日本'), { 'x-team': 'shop', 'x-key-bin': 'AQID' })
  const large = await unary(DOUBLE, of(BytesValue, new Uint8Array(300_000).fill(7)))
  told.large = { error: large.error, size: large.messages[0] && large.messages[0].length }
  told.stream = await stream(COUNT, of(Int32Value, 500))
  told.empty = await stream(COUNT, of(Int32Value, 0))
  told.failed = await unary(FAIL, of(StringValue, 'x'))
  told.broken = await stream(COUNT, of(Int32Value, -1))
  told.none = await unary(NONE, of(StringValue, 'x'))
  told.late = await stream(WAITED, of(StringValue, 'late'), { deadline: String(Date.now() + 400) })
  if (mode === 'text') {
    // Its rest is sent when another call has asked for it: whoever held the first message back would wait.
    told.waited = await stream(WAITED, of(StringValue, 'go'), {}, (value) => {
      if (value === 'first') unary(UPPER, of(StringValue, 'go'))
    })
    told.cancelled = await new Promise((resolve) => {
      stream(WAITED, of(StringValue, 'cancel'), {}, (value, call) => {
        call.cancel()
        resolve(value)
      })
    })
  }
  return told
}
