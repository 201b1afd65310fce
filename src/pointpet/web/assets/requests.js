// Talks to the server. Every failure becomes a RequestError that says what happened in words.

export class RequestError extends Error {
  constructor(message, { code = "", status = 0, content = null } = {}) {
    super(message);
    this.code = code;
    this.status = status;
    this.content = content;
  }
}

async function ask(url, options) {
  let answer;
  try {
    answer = await fetch(url, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new RequestError("The server does not answer. Start the command again and open the address that it prints.");
  }
  if (answer.ok) return answer;
  const content = await answer.json().catch(() => ({}));
  throw new RequestError(content.message ?? `The server answered ${answer.status}.`, {
    code: content.code,
    status: answer.status,
    content,
  });
}

export async function getJson(url) {
  return (await ask(url)).json();
}

export async function sendJson(method, url, body, options = {}) {
  const headers = { "Content-Type": "application/json" };
  const answer = await ask(url, { method, headers, body: JSON.stringify(body), ...options });
  return answer.status === 204 ? null : answer.json();
}

export async function getPicture(url, options) {
  return URL.createObjectURL(await (await ask(url, options)).blob());
}

const TYPES = { uint8: Uint8Array, uint16: Uint16Array, int32: Int32Array, uint32: Uint32Array, float32: Float32Array };

// Reads the server's packed answer: { header, arrays: { name: { values, shape, step } } }, without copying.
export async function getPacked(url, options) {
  const buffer = await (await ask(url, options)).arrayBuffer();
  const view = new DataView(buffer);
  const length = view.getUint32(4, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  const arrays = {};
  for (const [name, { type, shape, offset }] of Object.entries(header.arrays)) {
    const count = shape.reduce((product, size) => product * size, 1);
    const values = new TYPES[type](buffer, 8 + length + offset, count);
    arrays[name] = { values, shape, step: header.steps?.[name] ?? 1 };
  }
  return { header, arrays };
}
