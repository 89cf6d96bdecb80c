def report(lines):
    parts = []
    for number in range(lines):
        name = f"unit-{number:04d}"
        state = "alive" if number % 5 else "fallen"
        parts.append(f"{name:<12}|{state:>8}|{number * 1.5:8.2f}")
    text = "\n".join(parts)
    return len(text) + text.count("fallen") + text.replace("-", "").find("unit0900")


report(1200)
