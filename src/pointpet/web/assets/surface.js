// Surfaces in 3D with plain WebGL: the masks solid, the body around them as a shell of glass.

const VERTEX = `#version 300 es
in vec3 place; in vec3 normal;
uniform vec3 centre; uniform mat3 turn; uniform vec2 scale; uniform float depth;
out vec3 facing;
void main() {
  vec3 seen = turn * (place - centre);
  facing = turn * normal;
  gl_Position = vec4(seen.x * scale.x, seen.y * scale.y, -seen.z * depth, 1.0);
}`;

const FRAGMENT = `#version 300 es
precision highp float;
in vec3 facing;
uniform vec3 colour; uniform float glass; uniform float least;
out vec4 pixel;
void main() {
  vec3 n = normalize(facing);
  float towards = abs(n.z);
  float light = 0.42 + 0.58 * max(dot(n * sign(n.z), normalize(vec3(-0.35, 0.5, 0.8))), 0.0);
  float rim = pow(1.0 - towards, 2.2);
  float alpha = mix(1.0, clamp(least + 0.6 * rim, 0.0, 1.0), glass);
  vec3 shade = mix(colour * light + 0.10 * rim, colour, glass);
  pixel = vec4(shade * alpha, alpha);
}`;

export class SurfaceView {
  constructor(canvas) {
    this.canvas = canvas;
    this.gl = canvas.getContext("webgl2", { antialias: true, alpha: true, premultipliedAlpha: true });
    this.meshes = [];
    [this.yaw, this.pitch, this.zoom] = [0.5, 0.12, 1];
    this.focus = null;
    if (this.gl) this.#prepare();
    this.#listen();
  }

  get works() { return Boolean(this.gl); }

  // `meshes`: [{ name, corners, normals, triangles, colour: [r, g, b] (0 to 255), glass: 0 or 1, least: opacity
  // of glass seen face on }].
  show(meshes) {
    const { gl } = this;
    this.meshes.forEach((mesh) => mesh.buffers.forEach((buffer) => gl.deleteBuffer(buffer)));
    this.meshes = meshes.map((mesh) => {
      const array = gl.createVertexArray();
      gl.bindVertexArray(array);
      const buffers = [
        this.#attribute("place", mesh.corners),
        this.#attribute("normal", mesh.normals),
        gl.createBuffer(),
      ];
      gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, buffers[2]);
      gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, mesh.triangles, gl.STATIC_DRAW);
      return { ...mesh, array, buffers, count: mesh.triangles.length };
    });
    this.#measure();
    this.draw();
  }

  resize(width, height) {
    const ratio = window.devicePixelRatio || 1;
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${height}px`;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.draw();
  }

  // The world place that zooming in leads to, a lesion; the whole body is seen about its own middle.
  focusOn(place) {
    this.focus = place;
    this.draw();
  }

  reset() {
    [this.yaw, this.pitch, this.zoom] = [0.5, 0.12, 1];
    this.draw();
  }

  draw(hidden = this.hidden ?? new Set()) {
    this.hidden = hidden;
    const { gl, canvas } = this;
    if (!gl || !this.meshes.length || !canvas.width) return;
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.useProgram(this.program);
    const aspect = canvas.width / canvas.height;
    const fit = (0.96 * this.zoom) / Math.max(this.tall, this.wide / aspect);
    gl.uniform2f(this.at.scale, fit / aspect, fit);
    gl.uniform1f(this.at.depth, 0.45 / this.radius);
    gl.uniform3fv(this.at.centre, this.#middle());
    gl.uniformMatrix3fv(this.at.turn, false, this.#turn());
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.enable(gl.DEPTH_TEST);
    // What is solid first; glass lies over it and hides nothing.
    for (const mesh of [...this.meshes].sort((a, b) => a.glass - b.glass)) {
      if (hidden.has(mesh.name)) continue;
      gl.depthMask(!mesh.glass);
      gl.uniform3fv(this.at.colour, mesh.colour.map((part) => part / 255));
      gl.uniform1f(this.at.glass, mesh.glass);
      gl.uniform1f(this.at.least, mesh.least);
      gl.bindVertexArray(mesh.array);
      gl.drawElements(gl.TRIANGLES, mesh.count, gl.UNSIGNED_INT, 0);
    }
    gl.depthMask(true);
  }

  #prepare() {
    const { gl } = this;
    this.program = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(this.program, shader);
    }
    gl.linkProgram(this.program);
    const names = ["centre", "turn", "scale", "depth", "colour", "glass", "least"];
    this.at = Object.fromEntries(names.map((name) => [name, gl.getUniformLocation(this.program, name)]));
  }

  #attribute(name, values) {
    const { gl } = this;
    const buffer = gl.createBuffer();
    const place = gl.getAttribLocation(this.program, name);
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.bufferData(gl.ARRAY_BUFFER, values, gl.STATIC_DRAW);
    gl.enableVertexAttribArray(place);
    gl.vertexAttribPointer(place, 3, gl.FLOAT, false, 0, 0);
    return buffer;
  }

  #measure() {
    const low = [Infinity, Infinity, Infinity];
    const high = [-Infinity, -Infinity, -Infinity];
    for (const { corners } of this.meshes) {
      for (let i = 0; i < corners.length; i += 1) {
        const axis = i % 3;
        if (corners[i] < low[axis]) low[axis] = corners[i];
        if (corners[i] > high[axis]) high[axis] = corners[i];
      }
    }
    this.centre = low.map((value, axis) => (value + high[axis]) / 2);
    const [x, y, z] = low.map((value, axis) => Math.max(high[axis] - value, 40) / 2);
    this.wide = Math.hypot(x, y);
    this.tall = Math.hypot(z, 0.3 * this.wide); // room to tilt
    this.radius = Math.hypot(x, y, z);
  }

  #middle() {
    const share = this.focus ? Math.min(Math.max(this.zoom - 1, 0), 1) : 0;
    return this.centre.map((value, axis) => value + share * ((this.focus?.[axis] ?? 0) - value));
  }

  // Rows: right, up and towards the eye, in the world. At yaw 0 the patient is seen from the front.
  #turn() {
    const [c, s, cp, sp] = [Math.cos(this.yaw), Math.sin(this.yaw), Math.cos(this.pitch), Math.sin(this.pitch)];
    const right = [-c, s, 0];
    const up = [-s * sp, -c * sp, cp];
    const towards = [s * cp, c * cp, sp];
    return new Float32Array([0, 1, 2].flatMap((axis) => [right[axis], up[axis], towards[axis]])); // column by column
  }

  #listen() {
    let last = null;
    this.canvas.addEventListener("pointerdown", (event) => {
      this.canvas.setPointerCapture(event.pointerId);
      last = [event.clientX, event.clientY];
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (!last) return;
      this.#move((event.clientX - last[0]) / 140, (event.clientY - last[1]) / 140);
      last = [event.clientX, event.clientY];
    });
    this.canvas.addEventListener("pointerup", () => { last = null; });
    this.canvas.addEventListener("pointercancel", () => { last = null; });
    this.canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.#magnify(Math.exp(-event.deltaY / 500));
    }, { passive: false });
    this.canvas.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: [-0.15, 0], ArrowRight: [0.15, 0], ArrowUp: [0, -0.15], ArrowDown: [0, 0.15] };
      const factor = { "+": 1.25, "=": 1.25, "-": 0.8 }[event.key];
      if (!steps[event.key] && !factor) return;
      event.preventDefault();
      event.stopPropagation();
      if (factor) this.#magnify(factor);
      else this.#move(...steps[event.key]);
    });
  }

  #magnify(factor) {
    this.zoom = Math.min(Math.max(this.zoom * factor, 0.5), 12);
    this.draw();
  }

  #move(yaw, pitch) {
    this.yaw += yaw;
    this.pitch = Math.min(Math.max(this.pitch + pitch, -1.5), 1.5);
    this.draw();
  }
}
