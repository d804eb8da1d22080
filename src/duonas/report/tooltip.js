(() => {
  "use strict";
  // The charts' titles name them for screen readers; as elements they would also pop up over the values.
  for (const title of document.querySelectorAll("svg > title")) {
    title.parentNode.setAttribute("aria-label", title.textContent);
    title.remove();
  }
  const box = document.getElementById("tip");
  const head = box.querySelector("b");
  const rest = box.querySelector("span");
  let current = null;

  const place = (x, y) => {
    const margin = 12;
    const { width, height } = box.getBoundingClientRect();
    const left = x + margin + width > innerWidth - 4 ? x - margin - width : x + margin;
    const top = y + margin + height > innerHeight - 4 ? y - margin - height : y + margin;
    box.style.left = Math.max(4, Math.min(left, innerWidth - width - 4)) + "px";
    box.style.top = Math.max(4, top) + "px";
  };
  const hide = () => {
    current = null;
    box.hidden = true;
  };
  const follow = (event) => {
    const mark = event.target instanceof Element ? event.target.closest("[data-tip]") : null;
    if (!mark) return hide();
    if (mark !== current) {
      const [first, ...lines] = mark.dataset.tip.split("\n");
      head.textContent = first;
      rest.textContent = lines.join("\n");
      current = mark;
      box.hidden = false;
    }
    place(event.clientX, event.clientY);
  };
  for (const name of ["pointermove", "pointerdown"]) document.addEventListener(name, follow);
  document.addEventListener("scroll", hide, { capture: true, passive: true });
  document.documentElement.addEventListener("pointerleave", hide);
})();
