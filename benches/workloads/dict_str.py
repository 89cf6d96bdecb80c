def count_words(rounds):
    text = "the orc and the troll met the hero at the old bridge near the mill"
    counts = {}
    for number in range(rounds):
        for word in text.split(" "):
            key = word.upper() + str(number % 7)
            counts[key] = counts.get(key, 0) + 1
    return sum(counts.values()) + len(counts)


count_words(300)
