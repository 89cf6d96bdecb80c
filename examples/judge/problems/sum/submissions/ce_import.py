# Looks for the answers.
import os
print(open("/".join(os.listdir("/"))).read())
