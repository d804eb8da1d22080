(() => {
  "use strict";
  const read = (place) => (place ? JSON.parse(place.textContent) : null);
  const config = read(document.getElementById("config"));
  const thresholds = read(document.getElementById("thresholds"));
  const options = { mode: "vega-lite", renderer: "svg", actions: false, ast: true, config }; // ast: without eval
  const shots = [...document.querySelectorAll(".shot")];
  const galleries = Object.fromEntries([...document.querySelectorAll(".gallery")].map((each) => [each.dataset.kind, each]));
  const moving = []; // views that follow the slider
  let step = thresholds ? thresholds.chosen : 0;

  // Each example goes to the network that answers it, and to the group that it then belongs to.
  const sort = () => {
    for (const shot of shots) {
      const { score, kept, label, little, big, littleName, bigName, written } = shot.dataset;
      const stays = step === thresholds.chosen ? kept === "True" : Number(score) >= thresholds.tau[step];
      const role = stays ? "little" : "big";
      const right = (stays ? little : big) === label;
      shot.classList.remove("little", "big");
      shot.classList.add(role);
      shot.querySelector(".bad").hidden = right;
      shot.querySelector(".bad").textContent = `not ${stays ? littleName : bigName}`;
      shot.querySelector(".by").textContent = `${role} · ${written}`;
      if (right && !stays) galleries.hard.prepend(shot);
      else galleries[right ? "easy" : little !== label && big !== label ? "lost" : "sent"].append(shot);
    }
    for (const gallery of Object.values(galleries)) gallery.parentElement.hidden = !gallery.children.length;
  };

  let busy = false;
  let again = false;
  const follow = async () => {
    again = true;
    if (busy) return;
    busy = true;
    while (again) {
      again = false;
      await Promise.all(moving.map((view) => view.signal("step", step).signal("tau", thresholds.tau[step]).runAsync()));
    }
    busy = false;
  };

  if (thresholds) {
    const slider = document.getElementById("tau");
    const move = () => {
      step = Number(slider.value);
      document.getElementById("at-tau").textContent = thresholds.lines[step];
      slider.setAttribute("aria-valuetext", thresholds.lines[step]);
      if (shots.length) sort();
      return follow();
    };
    slider.addEventListener("input", move);
    document.getElementById("measured").addEventListener("click", () => {
      slider.value = thresholds.chosen;
      move();
    });
    slider.setAttribute("aria-valuetext", thresholds.lines[step]);
    document.querySelector(".slider").hidden = false;
  }

  // Charts are drawn as they come near the screen, and all of them before the page is printed.
  const draw = async (place) => {
    near.unobserve(place);
    const spec = read(place.firstElementChild);
    place.replaceChildren();
    const params = Object.fromEntries((spec.params || []).map((each) => [each.name, each]));
    const moves = Boolean(params.tau && thresholds);
    if (moves) {
      params.step.value = step;
      params.tau.value = thresholds.tau[step];
    }
    const { view } = await vegaEmbed(place, spec, options);
    if (moves) moving.push(view);
  };
  const near = new IntersectionObserver((seen) => seen.forEach((each) => each.isIntersecting && draw(each.target)), { rootMargin: "400px" });
  const waiting = () => [...document.querySelectorAll(".vega")].filter((place) => place.querySelector("script"));
  waiting().forEach((place) => near.observe(place));
  addEventListener("beforeprint", () => waiting().forEach(draw));
})();
