/** `fetch` that tells how much of a body has been sent: browsers tell it of XMLHttpRequest alone. */

/** Send a request by an XMLHttpRequest, as `fetch` would; `onProgress` hears of its body. */
export function fetchWithProgress(onProgress: (sent: number, of: number) => void): typeof fetch {
  return (input, init = {}) =>
    new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open(init.method ?? "GET", input instanceof Request ? input.url : String(input));
      new Headers(init.headers).forEach((value, name) => { request.setRequestHeader(name, value); });
      request.upload.onprogress = ({ loaded, total }) => { onProgress(loaded, total); };
      request.onload = () => {
        const body = [204, 205, 304].includes(request.status) ? null : request.responseText;
        resolve(new Response(body, { status: request.status, headers: headersOf(request.getAllResponseHeaders()) }));
      };
      request.onerror = () => { reject(new TypeError("The request failed")); };
      request.onabort = () => { reject(new DOMException("The request was called off", "AbortError")); };
      const { signal } = init;
      if (signal?.aborted === true) reject(new DOMException("The request was called off", "AbortError"));
      else {
        signal?.addEventListener("abort", () => { request.abort(); }, { once: true });
        request.send((init.body ?? null) as XMLHttpRequestBodyInit | null);
      }
    });
}

function headersOf(lines: string): Headers {
  const headers = new Headers();
  for (const line of lines.trim().split(/[\r\n]+/)) {
    const at = line.indexOf(":");
    if (at > 0) headers.append(line.slice(0, at), line.slice(at + 1).trim());
  }
  return headers;
}
