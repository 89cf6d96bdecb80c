class Cat:
    def __init__(self):
        self._name = "Tom"
