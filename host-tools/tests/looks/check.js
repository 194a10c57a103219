// What a reader would be bothered by, as a list of sentences. Run on the page by the test.
(() => {
  const problems = [];
  const width = document.documentElement.clientWidth;
  const shown = (element) => element.getClientRects().length > 0;
  const say = (element) => (element.textContent || element.className || element.tagName).trim().slice(0, 60);

  if (document.documentElement.scrollWidth > width)
    problems.push(`the page is ${document.documentElement.scrollWidth} pixels wide in a window of ${width}`);
  for (const element of document.querySelectorAll("body *")) {
    if (!shown(element) || element.closest(".scroll") || element.closest("svg")) continue;
    const right = element.getBoundingClientRect().right;
    if (right > width + 1) problems.push(`${element.tagName} reaches to ${right} of ${width}: ${say(element)}`);
  }

  for (const figure of document.querySelectorAll("figure")) {
    const drawn = [...figure.querySelectorAll("svg")].filter(shown).length;
    if (drawn !== 1) problems.push(`a picture is there ${drawn} times: ${say(figure)}`);
  }

  // Labels of pictures: none lies on another, none reaches out of its picture.
  for (const svg of document.querySelectorAll("svg")) {
    if (!shown(svg)) continue;
    const frame = svg.getBoundingClientRect();
    const texts = [...svg.querySelectorAll("text")].map((text) => ({ text, box: text.getBoundingClientRect() }));
    texts.forEach(({ text, box }, at) => {
      if (box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 2 || box.bottom > frame.bottom + 2)
        problems.push(`a label reaches out of its picture: ${say(text)}`);
      for (const other of texts.slice(at + 1)) {
        const across = Math.min(box.right, other.box.right) - Math.max(box.left, other.box.left);
        const down = Math.min(box.bottom, other.box.bottom) - Math.max(box.top, other.box.top);
        if (across > 1 && down > 4) problems.push(`labels lie on each other: ${say(text)} and ${say(other.text)}`);
      }
    });
  }

  // Contrast as WCAG 2 defines it: 4.5 for text.
  const numbers = (colour) => colour.match(/[\d.]+/g).map(Number);
  const luminance = (colour) => {
    const [red, green, blue] = numbers(colour).slice(0, 3).map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const paper = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if (numbers(colour)[3] !== 0) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const seen = new Set();
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !shown(element)) continue;
    const style = getComputedStyle(element);
    const [ink, ground] = [element.closest("svg") ? style.fill : style.color, paper(element)];
    if (seen.has(ink + ground)) continue;
    seen.add(ink + ground);
    const [one, two] = [luminance(ink), luminance(ground)].sort((a, b) => b - a);
    const contrast = (one + 0.05) / (two + 0.05);
    if (contrast < 4.5) problems.push(`${ink} on ${ground} has a contrast of ${contrast.toFixed(1)}: ${say(element)}`);
  }
  return problems;
})()
