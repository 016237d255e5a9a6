// The texts of an article whose contrast with what is behind them is lower than `least` (WCAG 2 asks for 4.5).
least => {
  const numbers = colour => (colour.match(/[\d.]+/g) || []).map(Number);
  const linear = share => (share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4);
  const luminance = ([red, green, blue]) =>
    0.2126 * linear(red / 255) + 0.7152 * linear(green / 255) + 0.0722 * linear(blue / 255);
  const ground = node => {
    for (let at = node; at; at = at.parentElement) {
      const colour = numbers(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const contrast = node => {
    const pair = [numbers(getComputedStyle(node).color), ground(node)].map(luminance);
    return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
  };
  const ownText = node => [...node.childNodes].filter(child => child.nodeType === 3).map(child => child.data.trim()).join("");
  return [...document.querySelectorAll("article *:not(.headerlink)")]
    .filter(node => ownText(node) && node.checkVisibility() && contrast(node) < least)
    .map(node => `${ownText(node).slice(0, 40)}: ${contrast(node).toFixed(1)}`);
}
